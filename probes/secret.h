// A secret of the operator's in a file: read when it is needed, read again when it has changed, and
// shown to nobody.
//
// Promises: a file is refused that others than its owner and its group may read, or others than
// its owner may write, or that belongs to somebody other than root and ourselves. Once a secret is
// in memory, no core of the process is ever written (prctl(2), PR_SET_DUMPABLE: LimitCORE= does not
// stop a core_pattern with a pipe, and what libraries copy is out of our hands). The text is locked
// in memory of its own and wiped when it goes. No message has any of it.
#pragma once

#include "base/keys.h"

#include <sys/stat.h>

#define SECRET_MAX       16384       // bytes of one line
#define SECRET_LINES_MAX (256 << 10) // and of many: a key may have a whole chain beside it
#define SECRET_PATH_MAX  512

// Zeroed holds nothing.
struct secret {
    char *text; // without the last line's end; NULL before secret_load()
    size_t length;
    size_t room;      // bytes of memory
    struct stat seen; // the file as it was read
};

// Makes text the content of the file at path, which is one line. 0, or -1 with why not, and nothing
// is held then.
int secret_load(struct secret *secret, const char *path, char error[ERROR_MAX]);

// The same for a file of any number of lines.
int secret_load_lines(struct secret *secret, const char *path, char error[ERROR_MAX]);

// Where the secret is that is configured as a file or, where file is empty, as the name of a
// systemd credential (systemd.exec(5)). 0, or -1 with why that can't be told.
int secret_path(const char *file, const char *credential, char out[SECRET_PATH_MAX],
                char error[ERROR_MAX]);

void secret_drop(struct secret *secret);
