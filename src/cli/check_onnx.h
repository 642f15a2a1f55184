/* gradus check --onnx: ONNX's conformance tests, as a table. */
#ifndef CLI_CHECK_ONNX_H
#define CLI_CHECK_ONNX_H

/* pattern NULL: all tests. An exit code: EXIT_CHECK when one fails. */
int check_onnx(const char *path, const char *pattern);

#endif
