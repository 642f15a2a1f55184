/* Inside the file layer: each system call passes the fault hook, is repeated after EINTR, and fails with its path.
 * The functions return -1 and set errno like the calls they stand for. */
#ifndef GR__FILE_INT_H
#define GR__FILE_INT_H

#include "base/file.h"

#include <sys/stat.h>
#include <sys/types.h>

int gr__sys_open(const char *path, int flags, mode_t mode);
int gr__sys_close(int fd, const char *path); /* the descriptor is gone in any case */
ssize_t gr__sys_read(int fd, const char *path, void *buffer, size_t n);
int gr__sys_write_all(int fd, const char *path, const void *bytes, size_t n, size_t *done);
int gr__sys_seek(int fd, const char *path, size_t to);
int gr__sys_fstat(int fd, const char *path, struct stat *out);
int gr__sys_stat(const char *path, struct stat *out);
int gr__sys_lstat(const char *path, struct stat *out);
int gr__sys_fsync(int fd, const char *path); /* one try, ever */
int gr__sys_ftruncate(int fd, const char *path, size_t n);
int gr__sys_fallocate(int fd, const char *path, size_t n);
int gr__sys_rename(const char *from, const char *to);
int gr__sys_unlink(const char *path);
int gr__sys_mkdir(const char *path);
void *gr__sys_mmap(int fd, const char *path, size_t n); /* NULL on failure */
/* The hook alone, for calls that stay where they are used: -1 with errno set where it says so. */
int gr__sys_fault(const char *call, const char *path);

/* "cannot VERB 'path': reason; hint" from errno: GR_ERR_NOT_FOUND, GR_ERR_MEMORY or GR_ERR_IO. */
gr_status gr__file_fail(int error, const char *verb, const char *path);
/* fsync of the folder that holds 'path'. */
gr_status gr__sync_folder_of(const char *path);
/* Opens for reading without ever waiting for a writer; refuses folders. */
gr_status gr__open_to_read(const char *path, bool regular_only, int *fd, struct stat *info);
/* Of a pipe: until a writer has come and written, or gone. */
gr_status gr__wait_for_data(int fd, const char *path);

#endif
