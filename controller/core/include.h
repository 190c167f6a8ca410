// The include file on disk: what should be there, what was handed over to be written, what is
// there. Pure: the shell asks what there is to write, writes it, and says how that went.
//
//     set, put ──▶ wanted ──include_submit()──▶ submitted ──include_saved()──▶ saved
//
// The three are versions that count changes: saved <= submitted <= wanted, always. Until BIRD has
// the file of this configuration, the former one's is kept in step as well, and may be the one that
// is wanted. A withdrawal does not wait for a whole file: its slots are to be patched at once into
// what is on disk (birdconf_patch()). Only a withdrawal: where the other leg takes over, the file
// is replaced in whole, so that never both are off in it.
#pragma once

#include "controller/core/birdconf.h"
#include "controller/core/decision.h"

#define INCLUDE_PATCH_MAX 128  // as many as come at once (controller/daemon/gather.h)
#define INCLUDE_RETRY_MS  1000 // after a save that failed

struct include {
    const struct config *config;
    struct birdconf *former;     // of the configuration before, until BIRD has next; may be NULL
    struct birdconf *next;       // of this configuration
    bool next_wanted;            // on disk; else former (no file if that is NULL)
    bool next_was_former;        // both were one: what was on disk is of this configuration already
    struct include_slots *slots; // of each service
    uint64_t wanted, submitted, saved;
    uint64_t tried;          // version of the last save that ended, well or not
    char trouble[ERROR_MAX]; // why it failed; empty: it did not
    uint64_t retry_at_ms;    // then; UINT64_MAX while it is tried
    uint64_t handed_ms;      // when the save under way began, or the last one
    // Slots of what is wanted that were withdrawn since the shell last looked. patch_count may be
    // larger than INCLUDE_PATCH_MAX: too many, it takes the whole file.
    size_t patch[INCLUDE_PATCH_MAX], patch_count;
};

// Takes both files, also when it fails (false: out of memory); former may be NULL. What former says
// of services is to be what they are set to; anything else is switched off in it. config must
// outlive it.
bool include_init(struct include *include, const struct config *config, struct birdconf *former,
                  struct birdconf *next);
void include_clear(struct include *include);

// At a reload, in two steps. First, from any thread: the file of the new configuration, with all
// that takes time or may fail; of old, whose configuration has its services at before's indices
// (SIZE_MAX: it has not), only what never changes is looked at. Takes next, also when it fails
// (false: out of memory).
bool include_prepare(struct include *include, const struct config *config, struct birdconf *next,
                     const struct include *old, const size_t *before);
// Then: what is on disk is former from now on, taken out of old, which is good only to be cleared;
// of services that are gone (after: SIZE_MAX) it is switched off. Versions count on from old's,
// whose save may be under way.
void include_take_over(struct include *include, struct include *old, const size_t *before,
                       const size_t *after);

// After that, for a service that there was before, whose target has not changed: what was on disk
// is in step with it already.
void include_keep(struct include *include, size_t service, enum target target);

// What must be on disk now. NULL: no file.
const struct birdconf *include_file(const struct include *include);

// Switches the service's protocols as the target says, in both files.
void include_set(struct include *include, size_t service, enum target target);

void include_put(struct include *include, bool next); // on disk: this one, or the former
void include_settle(struct include *include);         // on next: there is no way back any more
// Somebody may have put another file in its place: it is written again.
void include_write_again(struct include *include);

// ---- For the shell

// Slots of include_file() to be patched now; returns how many, 0 if they are too many. They count
// as patched.
size_t include_take_patch(struct include *include, size_t slots[INCLUDE_PATCH_MAX]);

// Is there anything to save? Then include_file() as it is now is to be saved under the version
// `submitted`, and counts as handed over.
bool include_submit(struct include *include, uint64_t now_ms);

// The save of that version ended; error: why it failed, or NULL. It is tried again in a while.
void include_saved(struct include *include, uint64_t version, const char *error, uint64_t now_ms);

// What is on disk is what should be, as far as we know.
bool include_is_saved(const struct include *include);

// For how long the save under way has been so; 0: there is none.
uint64_t include_saving_ms(const struct include *include, uint64_t now_ms);

// When include_submit() has something to do though nothing changes; UINT64_MAX for never.
uint64_t include_next_ms(const struct include *include);
