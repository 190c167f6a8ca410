// The ledger: what operators want, in one JSON file of state_dir, replaced atomically and synced
// before a verb is acknowledged (design, promise 6). Beside it the boot memory in runtime_dir: what
// a restart within a boot must know, and a reboot must forget.
//
// The file holds only what is not auto: {"version": 1, "services": {"dns": {"intent": "drain",
// ...}}} with times in milliseconds of the Unix epoch. It is read strictly: an intent that is not
// wholly understood is not guessed at.
#pragma once

#include "controller/config/config.h"
#include "controller/core/intent.h"

#define LEDGER_FILE      "ledger.json"
#define BOOT_MEMORY_FILE "state.json"

// One service's entry; kind is never auto. Services that are no longer configured are kept, they
// may come back.
struct ledger_entry {
    char service[SERVICE_NAME_MAX];
    struct intent intent; // only wall-clock times are stored
};

// Zero it to begin.
struct ledger {
    struct ledger_entry *entries; // sorted by service
    size_t count, room;
};

enum ledger_found {
    LEDGER_OK,
    LEDGER_NONE,       // no file yet: everything auto
    LEDGER_DAMAGED,    // everything that was in it is to be treated as drained
    LEDGER_UNREADABLE, // it is there but can't be read (permission, I/O), or state_dir itself is
                       // missing: treated as drained too
};

// Reads <state_dir>/ledger.json; out is empty unless LEDGER_OK. message says what was wrong, and
// what to do, in an operator's words. Out of memory is LEDGER_UNREADABLE. The file is not touched,
// so that a start that fails leaves to the next one what it found.
enum ledger_found ledger_read(const char *state_dir, struct ledger *out, char message[ERROR_MAX]);

// Keeps a ledger that can't be used under another name before ledger_save() replaces it by text.
// Until then the old one is still in place, or text already is where it can't have two names (a
// directory, another user's file): whenever the daemon ends, the next one finds a ledger. message
// says where it is, or why it can't be kept; empty: there is none.
void ledger_set_aside(const char *state_dir, const char *text, char message[ERROR_MAX]);

// The reading itself: text of length bytes into out (cleared by the caller). False with a message
// when it is damaged; then out is empty. Pure.
bool ledger_parse(const char *text, size_t length, struct ledger *out, char message[ERROR_MAX]);

// The file's text for these entries; malloc'd, NULL when out of memory. Pure.
char *ledger_text(const struct ledger *ledger);

// Writes text: temporary file, fsync, rename, fsync of the directory; blocking, safe in a worker
// thread, one at a time. 0 or -errno with a message.
int ledger_save(const char *state_dir, const char *text, char message[ERROR_MAX]);

const struct ledger_entry *ledger_find(const struct ledger *ledger, const char *service);
// Adds or replaces; an auto intent removes the entry. False when out of memory (nothing changed).
bool ledger_put(struct ledger *ledger, const char *service, const struct intent *intent);
void ledger_clear(struct ledger *ledger);

// The boot memory, <runtime_dir>/state.json: this boot's id, and each service's recent withdrawals.
// Writing is like ledger_save(); reading returns false if there is none, it is of another boot or
// it makes no sense (then it's nothing).
struct boot_memory {
    struct boot_entry {
        char service[SERVICE_NAME_MAX];
        uint64_t recent;
    } * entries;
    size_t count;
};
char *boot_memory_text(const struct boot_memory *memory, const char *boot_id);
bool boot_memory_read(const char *runtime_dir, const char *boot_id, struct boot_memory *out);
int boot_memory_save(const char *runtime_dir, const char *text, char message[ERROR_MAX]);
void boot_memory_clear(struct boot_memory *memory);
bool boot_id_read(char out[64]); // /proc/sys/kernel/random/boot_id
