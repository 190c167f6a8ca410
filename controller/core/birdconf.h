// The include file that BIRD reads: rendered from the configuration, and kept in step with the
// present state.
//
// The file is text with one slot per protocol, the word after `disabled`, always three bytes wide
// ("on " or "off"). A change of state changes slots only, so that a former file can be kept in step
// too. The revision is a hash of everything but the slots (design, "BIRD"). Pure; the file itself
// is the daemon's (birdconf_file.h).
#pragma once

#include "controller/core/names.h"

#define REVISION_TEXT_MAX 20  // 16 hex digits
#define BIRDCONF_SLOT     3   // bytes of the word
#define BIRDCONF_HEAD     256 // bytes from the beginning that tell one revision from another
#define BIRDCONF_LINE_MAX (PATH_LEN_MAX + 32)

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

// What bird.conf needs: `include "/run/[p]opgate/bird*.conf";`. The brackets let BIRD start where
// the directory is missing too (bird-facts, 13): before popgate's first boot, in a rescue boot, and
// when popgate has been removed.
const char *birdconf_include_line(const char *runtime_dir, char out[BIRDCONF_LINE_MAX]);

void birdconf_free(struct birdconf *conf);
