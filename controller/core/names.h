// Our names in BIRD: the protocols of each service, patterns over them, tables and pipes. The only
// place that spells them; operators' export filters rely on "popgate_*" (design, "BIRD"). Pure.
//
// A service has two legs, its primary protocols and their drain twins, with one protocol for each
// address family that it has: popgate_<symbol>_v4, popgate_<symbol>_v6_drain.
#pragma once

#include "controller/config/config.h"

#define BIRD_PROTOCOL_MAX 64 // "popgate_" + symbol + "_v4_drain"

enum leg_name { LEG_PRIMARY, LEG_DRAIN, LEGS };

#define NAMES_OURS "popgate_" // what the name of every service's protocol begins with

// Patterns, as `enable`, `disable` and `show protocols` take them.
#define NAMES_ALL            NAMES_OURS "*" // every protocol of every service, no pipe
#define NAMES_PIPES          "popgate?_pipe"
#define NAMES_OURS_AND_PIPES "popgate*"

// In every description, before the revision of the file that it comes from.
#define NAMES_DESCRIPTION "popgate "

void names_protocol(const struct service_conf *service, enum family family, enum leg_name leg,
                    char out[BIRD_PROTOCOL_MAX]);

// The other way round, of a primary protocol: the service's symbol and that family. False: it is
// called otherwise.
bool names_parse(const char *protocol, struct service_conf *out);

// How much of their names all protocols of the service have in common: all but the family's number
// and what follows.
size_t names_base_length(const struct service_conf *service);

// Matches every protocol of the service, and perhaps others: to look, not to switch.
void names_look(const struct service_conf *service, char out[BIRD_PROTOCOL_MAX]);

// Of protocols whose names begin with this: every one, or the twins alone.
void names_beginning(const char *prefix, bool twins, char out[BIRD_PROTOCOL_MAX + 8]);

const char *names_table(enum family family);  // "popgate4"
const char *names_pipe(enum family family);   // "popgate4_pipe"
const char *names_family(enum family family); // "v4"

bool names_is_pipe(const char *protocol);
// Is it called as a service's protocol of ours is? There need not be such a service (any more).
bool names_is_ours(const char *protocol);
