#include "cli/ids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    char *text = NULL;
    if (file && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    if (size >= 0 && size < 1L << 30 && fseek(file, 0, SEEK_SET) == 0 && (text = calloc(1, (size_t)size + 1)) &&
        fread(text, 1, (size_t)size, file) != (size_t)size) {
        free(text);
        text = NULL;
    }
    if (!text) fprintf(stderr, "gradus: cannot read '%s': %s\n", path, strerror(errno));
    if (file) fclose(file);
    return text;
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') p++;
    return p;
}

/* "[1, 2, 3]"; NULL where it is none. */
static const char *read_row(const char *p, ids_batch *b, int64_t *n)
{
    if (*p != '[') return NULL;
    do {
        char *end;
        p = skip_blanks(p + 1);
        long v = strtol(p, &end, 10);
        if (end == p || v < 0 || v > INT32_MAX) return NULL;
        b->id[(*n)++] = (int32_t)v;
        p = skip_blanks(end);
    } while (*p == ',');
    return *p == ']' ? skip_blanks(p + 1) : NULL;
}

static bool parse(const char *p, ids_batch *b)
{
    int64_t n = 0;
    p = skip_blanks(p);
    if (*p != '[') return false;
    do {
        int64_t before = n;
        p = read_row(skip_blanks(p + 1), b, &n);
        if (!p || (b->rows && n - before != b->columns)) return false;
        b->columns = n - before;
        b->rows++;
    } while (*p == ',');
    return *p == ']' && !*skip_blanks(p + 1);
}

bool ids_read(const char *path, ids_batch *out)
{
    char *text = read_all(path);
    *out = (ids_batch){0};
    if (!text) return false;
    out->id = calloc(strlen(text) / 2 + 1, sizeof *out->id); /* an id takes two characters at least */
    bool fine = out->id && parse(text, out);
    if (!fine) {
        fprintf(stderr, "gradus: '%s' is not a JSON list of equally long lists of token ids\n", path);
        free(out->id);
    }
    free(text);
    return fine;
}
