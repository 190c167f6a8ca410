// Groups of this host, by number and by name. Whoever keeps their names may be far away (NSS: LDAP
// and the like), and hang: only a thread of its own ever waits for that. For a start; but for
// group_found(), from one thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// The name of a group of /etc/group; nobody else is asked. False: it is not there.
bool group_local_name(gid_t group, char *out, size_t size);

struct group_lookup;

// Looks for a group, in /etc/group and then wherever NSS knows of. Returns when that has been
// answered, after within_ms at the latest: an answer that comes later is there then. NULL only when
// out of memory.
struct group_lookup *group_look_up(const char *name, unsigned within_ms);

// False: there is no such group, or nobody has said so yet. From any thread.
bool group_found(const struct group_lookup *lookup, gid_t *out);

void group_lookup_free(struct group_lookup *lookup); // may be NULL; who is being asked may go on
