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

/* "[1, 2, 3]"; NULL where it is none. id: NULL to count only. */
static const char *read_row(const char *p, int32_t *id, int64_t *n)
{
    if (*p != '[') return NULL;
    *n = 0;
    do {
        char *end;
        p = skip_blanks(p + 1);
        long v = strtol(p, &end, 10);
        if (end == p || v < 0 || v > INT32_MAX) return NULL;
        if (id) id[*n] = (int32_t)v;
        ++*n;
        p = skip_blanks(end);
    } while (*p == ',');
    return *p == ']' ? skip_blanks(p + 1) : NULL;
}

/* Once to count, and once to fill in. */
static bool parse(const char *p, ids_batch *b, bool fill)
{
    int64_t rows = 0, n;
    p = skip_blanks(p);
    if (*p != '[') return false;
    do {
        p = read_row(skip_blanks(p + 1), fill ? b->id + rows * b->columns : NULL, &n);
        if (!p) return false;
        if (fill) memset(b->mask + rows * b->columns, 1, (size_t)n);
        b->ragged |= rows > 0 && n != b->columns;
        if (n > b->columns) b->columns = n;
        rows++;
    } while (*p == ',');
    b->rows = rows;
    return *p == ']' && !*skip_blanks(p + 1);
}

void ids_release(ids_batch *ids)
{
    free(ids->id);
    free(ids->mask);
    *ids = (ids_batch){0};
}

bool ids_read(const char *path, ids_batch *out)
{
    char *text = read_all(path);
    *out = (ids_batch){0};
    if (!text) return false;
    bool fine = parse(text, out, false);
    if (fine) {
        out->id = calloc((size_t)out->rows * (size_t)out->columns, sizeof *out->id);
        out->mask = calloc((size_t)out->rows, (size_t)out->columns);
        fine = out->id && out->mask && parse(text, out, true);
    }
    if (!fine) {
        fprintf(stderr, "gradus: '%s' is not a JSON list of lists of token ids\n", path);
        ids_release(out);
    }
    free(text);
    return fine;
}
