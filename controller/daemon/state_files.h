// What outlives a process, on disk: the ledger in state_dir, replaced atomically and synced before
// a verb is acknowledged; in runtime_dir the boot memory.
#pragma once

#include "controller/core/past.h"

#include <sys/types.h>
#include <time.h>

// Which file in the ledger's place this process knows: it read it, wrote it, or kept it under
// another name. Any other is never replaced. Zero it to begin; it belongs to one thread at a time.
struct ledger_place {
    struct {
        dev_t device;
        ino_t inode;
        off_t size;
        struct timespec modified;
    } known;
    // There was a ledger before and there is none now: only what an operator insists on is saved.
    bool missing, insist;
    bool stamped;                  // the stamp need not be tried again
    char stamp_trouble[ERROR_MAX]; // why it can't be left; empty: all is well
    bool has_found;                // found is what the last save met, and did not replace
    struct ledger found;
};

// Reads all that a start finds of before and makes of it what is to be done (past_make()). boot_id
// receives this boot's. false: out of memory.
bool state_files_read(struct past *past, struct ledger_place *place, const struct config *config,
                      struct events *events, char boot_id[64], uint64_t now_ns, uint64_t wall_ms);

// Could whoever asks keep these files in the directory? message: why not.
bool state_files_fit(const char *directory, char message[ERROR_MAX]);

#define LEDGER_FILE      "ledger.json"
#define BOOT_MEMORY_FILE "state.json"

enum ledger_found {
    LEDGER_OK,
    LEDGER_NONE,       // no file, and there never was one: everything auto
    LEDGER_DAMAGED,    // everything that was in it is to be treated as drained
    LEDGER_UNREADABLE, // it is there but can't be read (permission, I/O), or state_dir itself is
                       // missing, or empty though there was a ledger: treated as drained too
};

// Reads <state_dir>/ledger.json; out is empty unless LEDGER_OK. message says what was wrong, and
// what to do, in an operator's words. Out of memory is LEDGER_UNREADABLE. The file is not touched,
// so that a start that fails leaves to the next one what it found.
//
// That there was a ledger is told by a stamp beside state_dir, <state_dir>-stamp/ledger, which is
// on another file system where state_dir is a mount point: one that is not mounted looks like a
// first start.
enum ledger_found ledger_read(const char *state_dir, struct ledger_place *place, struct ledger *out,
                              char message[ERROR_MAX]);

// Keeps a ledger that can't be used under another name before ledger_save() replaces it by text.
// Until then the old one is still in place, or text already is where it can't have two names (a
// directory, another user's file): whenever the daemon ends, the next one finds a ledger. message
// says where it is, or why it can't be kept; empty: there is none.
void ledger_set_aside(const char *state_dir, struct ledger_place *place, const char *text,
                      char message[ERROR_MAX]);

// Writes text: temporary file, fsync, rename, fsync of the directory; then, once, the stamp.
// Blocking, safe in a worker thread, one at a time. 0 or -errno with a message. A ledger in the
// place that this process does not know (its file system was mounted later, somebody brought it
// back) is not replaced: place has what is in it, and -EEXIST; one that is damaged is set aside.
int ledger_save(const char *state_dir, struct ledger_place *place, const char *text,
                char message[ERROR_MAX]);

// The same for <runtime_dir>/state.json. Reading returns false if there is none, it is of another
// boot or it makes no sense (then it's nothing).
bool boot_memory_read(const char *runtime_dir, const char *boot_id, struct boot_memory *out);
int boot_memory_save(const char *runtime_dir, const char *text, char message[ERROR_MAX]);
bool boot_id_read(char out[64]); // /proc/sys/kernel/random/boot_id
