// The last-PoP guard: before a planned withdrawal, is another path to each prefix visible in BIRD,
// that is, does another PoP still announce it? Pure: commands out, reply lines in, an answer at the
// end.
//
// A path counts if a routing protocol brought it (BGP, OSPF, Babel, RIP): our own statics, device
// and kernel routes say nothing about other PoPs.
#pragma once

#include "controller/config/config.h"

#include "birdctl/command.h"
#include "birdctl/reply.h"

struct guard;

// Over all prefixes of these services. NULL only when out of memory.
struct guard *guard_new(const struct config *config, const size_t *services, size_t count);
void guard_free(struct guard *guard);

// The next command to send; replies must come in that order. false: all are out.
bool guard_command(struct guard *guard, struct bird_command *out);

void guard_line(struct guard *guard, const struct bird_line *line);
void guard_end(struct guard *guard, bool complete);

bool guard_done(const struct guard *guard); // every command is answered

// The verdict: true if every prefix has another path. Else message names the first that has none,
// or why it could not be seen.
bool guard_passes(const struct guard *guard, char message[ERROR_MAX]);
