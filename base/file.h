// Small files read and replaced as a whole: whoever reads one, at whatever moment and after
// whatever crash, has the old text or the new one.
#pragma once

#include "base/keys.h"

#include <sys/types.h>

// Replaces <directory>/<name>: temporary file beside it, fsync, rename, fsync of the directory.
// Blocking; one writer of a name at a time. 0, or -errno with a message; then the old file is as it
// was and the temporary one is gone (after a failed sync of the directory alone, the new file may
// be in place). What root writes belongs to whom the directory belongs to, who may have to read it
// again.
int file_replace(const char *directory, const char *name, const char *text, size_t length,
                 mode_t mode, char error[ERROR_MAX]);

// Reads a regular file of at most max bytes into *text (malloc'd, NUL-terminated, the caller's). 0,
// or -errno with a message; -EFBIG when it is longer.
int file_read(const char *path, size_t max, char **text, size_t *length, char error[ERROR_MAX]);

// Opens /dev/null in the place of each of standard input, output and error that is closed, so that
// nothing else that is opened later gets its number. First thing in a program. False: it can't.
bool file_open_standard(void);

// Makes names created, linked or removed in a directory last. 0, or -errno with a message.
int file_sync_directory(const char *directory, char error[ERROR_MAX]);
