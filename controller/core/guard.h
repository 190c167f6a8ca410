// The last-PoP guard: before a planned withdrawal, is another path to each prefix visible in BIRD,
// that is, does another PoP still announce it? Pure: orders out, replies in, an answer at the end.
//
// A path counts if a routing protocol brought it (BGP, OSPF, Babel, RIP) into the table that ours
// go to: our own statics, device and kernel routes say nothing about other PoPs. It does not if it
// leads nowhere (its next hop is unreachable), or if who announces it is leaving, too
// (GRACEFUL_SHUTDOWN, RFC 8326) or is gone already and only not forgotten yet (LLGR_STALE, RFC
// 9494).
#pragma once

#include "controller/config/config.h"
#include "controller/core/order.h"
#include "controller/core/outcome.h"

#include "birdctl/reply.h"

struct guard;

// Over all prefixes of these services. number tells its questions from those of one before, whose
// answers may come yet. NULL only when out of memory.
struct guard *guard_new(const struct config *config, const size_t *services, size_t count,
                        size_t number);
void guard_free(struct guard *guard);

// Puts the next questions into orders, a few at a time. Their answers come back by token; those to
// another guard's are no news.
void guard_plan(struct guard *guard, struct orders *orders);
void guard_line(struct guard *guard, uint64_t token, const struct bird_line *line);
void guard_end(struct guard *guard, uint64_t token, bool answered);

// Nothing is under way, and every question is answered or, since BIRD did not answer one, none is
// asked any more.
bool guard_done(const struct guard *guard);

// OUTCOME_DONE: every prefix has another path. OUTCOME_REFUSED: message names the first that has
// none; OUTCOME_UNSEEN: it says why that could not be seen.
enum outcome guard_outcome(const struct guard *guard, char message[ERROR_MAX]);
