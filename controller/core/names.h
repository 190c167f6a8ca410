// Our names in BIRD: the protocols of each service, patterns over them, tables and pipes. The only
// place that spells them; operators' export filters rely on "popgate_*" (design, "BIRD"). Pure.
//
// A service has two legs, its primary protocols and their drain twins, with one protocol for each
// address family that it has: popgate_<symbol>_v4, popgate_<symbol>_v6_drain.
#pragma once

#include "controller/config/config.h"

#define BIRD_PROTOCOL_MAX 64 // "popgate_" + symbol + "_v4_drain"

enum leg_name { LEG_PRIMARY, LEG_DRAIN, LEGS };

// Patterns, as `enable`, `disable` and `show protocols` take them.
#define NAMES_ALL   "popgate_*"       // every protocol of every service, no pipe
#define NAMES_TWINS "popgate_*_drain" // the second leg of every service
#define NAMES_PIPES "popgate?_pipe"

// In every description, before the revision of the file that it comes from.
#define NAMES_DESCRIPTION "popgate "

void names_protocol(const struct service_conf *service, enum family family, enum leg_name leg,
                    char out[BIRD_PROTOCOL_MAX]);

// Matches the leg's protocols of both families, and none of any other service.
void names_pattern(const struct service_conf *service, enum leg_name leg,
                   char out[BIRD_PROTOCOL_MAX]);

const char *names_table(enum family family);  // "popgate4"
const char *names_pipe(enum family family);   // "popgate4_pipe"
const char *names_family(enum family family); // "v4"

bool names_is_pipe(const char *protocol);
// Is it called as a service's protocol of ours is? There need not be such a service (any more).
bool names_is_ours(const char *protocol);
