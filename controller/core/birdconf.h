// The include file that BIRD reads: rendered from the configuration, and kept in step with the
// present state.
//
// The file is text with one slot per protocol, the word after `disabled`, always three bytes wide
// ("on " or "off"). A change of state changes slots only, so that a former file can be kept in step
// too. The revision is a hash of everything but the slots (design, "BIRD"). Pure but for
// birdconf_save() and birdconf_read().
#pragma once

#include "controller/core/names.h"

// In runtime_dir. Its temporary name must not match the operator's include "bird*.conf".
#define BIRDCONF_FILE "bird.conf"

#define REVISION_TEXT_MAX 20 // 16 hex digits

struct birdconf {
    char *text; // NUL-terminated
    size_t length;
    char revision[REVISION_TEXT_MAX];
    struct birdconf_slot {
        char protocol[BIRD_PROTOCOL_MAX];
        size_t offset; // of the word after `disabled`
        size_t routes; // that the protocol has
    } * slots;         // sorted by protocol
    size_t slot_count;
};

// Everything off. NULL only when out of memory.
struct birdconf *birdconf_render(const struct config *config);

// A file of ours, read back; NULL (error says why) if it is not one, was edited by hand or cut off.
struct birdconf *birdconf_parse(const char *text, size_t length, char error[ERROR_MAX]);

// Switches one protocol. Returns whether the text changed; false too if there is no such protocol.
bool birdconf_set(struct birdconf *conf, const char *protocol, bool enabled);
// The same by the slot's index.
bool birdconf_switch(struct birdconf *conf, size_t slot, bool enabled);

// Is it enabled? False too if there is no such protocol.
bool birdconf_get(const struct birdconf *conf, const char *protocol);

// Index of the protocol's slot; slot_count if there is no such protocol.
size_t birdconf_slot_index(const struct birdconf *conf, const char *protocol);

// Writes the words of these slots, as conf has them, straight into the file on disk: a few
// microseconds, for what can't wait for birdconf_save(). Every state in between is one that BIRD
// may read. Nothing is written unless the file there is of conf's revision. 0 or -errno.
int birdconf_patch(const struct birdconf *conf, const char *runtime_dir, const size_t *slots,
                   size_t count);

void birdconf_free(struct birdconf *conf);

// <runtime_dir>/bird.conf. Save: write, fsync, rename, fsync of the directory; blocking, safe in a
// worker thread, one at a time. 0 or -errno, with error saying what was attempted and why it
// failed. length 0 removes the file.
int birdconf_save(const char *runtime_dir, const char *text, size_t length, char error[ERROR_MAX]);

// What is on disk is just this text (conf NULL: no file).
bool birdconf_is_saved(const struct birdconf *conf, const char *runtime_dir);

bool birdconf_exists(const char *runtime_dir);

// NULL with an empty error: there is no file.
struct birdconf *birdconf_read(const char *runtime_dir, char error[ERROR_MAX]);
