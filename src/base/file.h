/* The one layer through which files are read and written, so that tests can make any call of it fail.
 * Writing is atomic: temporary file -> write -> fsync -> rename -> fsync of the folder; on any failure the old file
 * stays as it was and the temporary one is removed. An fsync that failed is never retried on the same file. */
#ifndef GR__FILE_H
#define GR__FILE_H

#include "base/str.h"

/* ---- reading ---- */

/* Whole file into fresh memory (one extra 0 byte behind it); free with gr__free. Of a pipe: waits for its writer.
 * GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_LIMIT above 'most' bytes, GR_ERR_MEMORY. */
gr_status gr__file_read(const char *path, size_t most, char **out, size_t *n);

/* Read-only mapping of a regular file; anything else is refused at once. n = 0 gives data "" . */
typedef struct gr__mapping {
    const unsigned char *data;
    size_t n;
    void *base;
} gr__mapping;
gr_status gr__file_map(const char *path, gr__mapping *out);
void gr__file_unmap(gr__mapping *m);

/* Sequential reading, .gz unpacked on the fly (zlib). Of a pipe: opening waits for its writer. */
typedef struct gr__stream gr__stream;
gr_status gr__stream_open(const char *path, gr__stream **out);
gr_status gr__stream_read(gr__stream *s, void *buffer, size_t n, size_t *got); /* *got < n only at the end */
void gr__stream_close(gr__stream **s);

/* ---- writing ---- */

typedef struct gr__writer gr__writer;
/* Opens 'path'.tmp-PID beside 'path'; 'reserve' > 0 allocates that many bytes on disk first, so that a full disk shows
 * before anything old is at risk. */
gr_status gr__writer_open(const char *path, size_t reserve, gr__writer **out);
gr_status gr__writer_write(gr__writer *w, const void *bytes, size_t n);
/* Overwrites n bytes from 'at' on of what was written; not of a device or a pipe. */
gr_status gr__writer_patch(gr__writer *w, size_t at, const void *bytes, size_t n);
/* Makes it the file: flush, fsync, rename, fsync of the folder. Closes and nulls *w on success and on failure. */
gr_status gr__writer_commit(gr__writer **w);
/* Gives up: removes the temporary file. */
void gr__writer_drop(gr__writer **w);
/* All of it in one call. */
gr_status gr__file_write(const char *path, const void *bytes, size_t n);

/* Appending a line to a log (metrics.jsonl): each call is one write(2). */
typedef struct gr__appender gr__appender;
/* Truncates the file to 'keep' bytes first (SIZE_MAX: keep all). */
gr_status gr__appender_open(const char *path, size_t keep, gr__appender **out);
gr_status gr__appender_write(gr__appender *a, const void *bytes, size_t n);
gr_status gr__appender_sync(gr__appender *a);
size_t gr__appender_size(const gr__appender *a);
void gr__appender_close(gr__appender **a);

/* ---- folders and names ---- */

bool gr__file_exists(const char *path);
bool gr__file_is_dir(const char *path);
gr_status gr__file_size(const char *path, uint64_t *out);
/* Equal, byte by byte, for two names of one file; false: there is none of this name. */
typedef struct gr__file_id {
    uint64_t device, number;
} gr__file_id;
bool gr__file_identify(const char *path, gr__file_id *out);
gr_status gr__dir_make(const char *path); /* with its parents; fine when it exists */
/* Held until gr__dir_unlock() or the end of the process, also from other machines where the file system can; *out is 0 where it cannot.
 * GR_ERR_IO: another process holds it, or this one already. */
gr_status gr__dir_lock(const char *path, int *out);
void gr__dir_unlock(int *lock);
/* GR_ERR_IO where 'path' is no longer the folder that was locked: it was removed, or moved away. */
gr_status gr__dir_still_locked(const char *path, int lock);
gr_status gr__file_remove(const char *path);
/* A file or an empty folder, without a word where it stays. */
void gr__file_discard(const char *path);
/* Names below 'path', sorted bytewise. Recursive lists give paths relative to 'path', hidden entries and links out of
 * it are left out. Free each and the list with gr__names_free. */
gr_status gr__dir_list(const char *path, bool recursive, char ***names, size_t *n);
void gr__names_free(char **names, size_t n);
/* All below 'path' of a user's data, where a link to a file is a file wherever that lies. Each list is sorted bytewise, names
 * are relative to 'path'; hidden entries are left out. */
typedef struct gr__names {
    char **item;
    size_t n, capacity;
} gr__names;
typedef struct gr__dir_tree {
    gr__names files, folders; /* folders[0] is "", 'path' itself */
    gr__names links;          /* to folders, which are not followed (they could go round for ever), and to nothing */
    gr__names others;         /* pipes, devices, sockets */
} gr__dir_tree;
/* skip_bad: folders in it that cannot be listed are left out, with a warning. */
gr_status gr__dir_tree_read(const char *path, bool skip_bad, gr__dir_tree *out);
void gr__dir_tree_release(gr__dir_tree *tree); /* also one that is all 0 */
/* dir + "/" + name into fresh memory; NULL when out of memory. */
char *gr__path_join(const char *dir, const char *name);
/* A plain base name: not empty, no '/', not "." or "..". */
bool gr__path_is_base(const char *name);

/* ---- fault injection (tests) ----
 * Called before each system call of this layer with its name ("open", "write", "fsync", "rename", ...) and path; a
 * positive result is the errno that the call then fails with, -n makes a read or write of at most n bytes. NULL: none. */
void gr__file_set_fault(int (*fault)(void *user, const char *call, const char *path), void *user);

#endif
