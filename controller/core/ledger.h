// The ledger: what operators want, as the text of one file that outlives everything (design,
// promise 6). Beside it the boot memory: what a restart within a boot must know, and a reboot must
// forget. Pure: entries to text and back; controller/daemon/state_files.h has the files.
//
// The ledger holds only what is not auto: {"version": 2, "checksum": "...", "services": {"dns":
// {"intent": "drain", ...}}} with times in milliseconds of the Unix epoch. It is read strictly: an
// intent that is not wholly understood is not guessed at. The checksum, 16 hexadecimal digits, is
// the hash (base/hash.h) of the whole text with zeros in their place; version 1 had none.
#pragma once

#include "controller/config/config.h"
#include "controller/core/intent.h"

// One service's entry; kind is never auto. Services that are no longer configured are kept, they
// may come back.
struct ledger_entry {
    char service[SERVICE_NAME_MAX];
    struct intent intent; // only wall-clock times are stored; those that run have both
};

// Zero it to begin.
struct ledger {
    struct ledger_entry *entries; // sorted by service
    size_t count, room;
};

// The longest text that is read, and so the longest that may be written.
#define LEDGER_TEXT_MAX ((size_t)16 << 20)

// Reads text of length bytes into out (cleared by the caller). False with a message when it is
// damaged; then out is empty.
bool ledger_parse(const char *text, size_t length, struct ledger *out, char message[ERROR_MAX]);

// The file's text for these entries; malloc'd, NULL when out of memory.
char *ledger_text(const struct ledger *ledger);

const struct ledger_entry *ledger_find(const struct ledger *ledger, const char *service);
// Adds or replaces; an auto intent removes the entry. False when out of memory (nothing changed).
bool ledger_put(struct ledger *ledger, const char *service, const struct intent *intent);
void ledger_clear(struct ledger *ledger);

// The boot memory: this boot's id, and each service's recent withdrawals.
struct boot_memory {
    struct boot_entry {
        char service[SERVICE_NAME_MAX];
        uint64_t recent;
    } * entries;
    size_t count;
};

char *boot_memory_text(const struct boot_memory *memory, const char *boot_id);
// False, and nothing in out, if it is of another boot or makes no sense.
bool boot_memory_parse(const char *text, size_t length, const char *boot_id,
                       struct boot_memory *out);
void boot_memory_clear(struct boot_memory *memory);
