// BIRD's control protocol, the asking half: every command that we ever give, and the only place
// that spells one. Pure.
//
// Patterns, and names that came from elsewhere, go between quotes. BIRD's quotes know no escape;
// what can't stand between them makes no command at all, rather than another one. BIRD compares
// what is quoted with the name of each protocol that it has; a name without quotes it looks up, at
// once (bird-facts 34).
#pragma once

#include <stdbool.h>

#define BIRD_COMMAND_MAX 256

// One line without its newline. Empty: what was asked for can't be said in a command.
struct bird_command {
    char text[BIRD_COMMAND_MAX];
};

// Of the protocols that match the pattern ('*' and '?'), every one; replies name each.
struct bird_command bird_enable(const char *pattern);
struct bird_command bird_disable(const char *pattern);
// The one protocol of that name.
struct bird_command bird_enable_one(const char *name);
struct bird_command bird_disable_one(const char *name);

struct bird_command bird_show_protocols(void);
struct bird_command bird_show_protocols_like(const char *pattern);
struct bird_command bird_show_protocols_all(const char *pattern);
struct bird_command bird_show_protocol_all(const char *name); // no pattern: BIRD looks at no other
struct bird_command bird_show_bfd(void);

// Routes to exactly this prefix ("192.0.2.1/32") with their attributes: all there are in a table;
// or the one that is exported to a BGP session, as its export filter leaves it.
struct bird_command bird_show_route(const char *prefix, const char *table);
struct bird_command bird_show_export(const char *prefix, const char *session);
// The one that was exported in fact, be there an export limit; its attributes would be those from
// before the filter, so there are none.
struct bird_command bird_show_exported(const char *prefix, const char *session);

// Is a configuration under way, or waiting to be confirmed (`configure timeout`)?
struct bird_command bird_configure_status(void);
struct bird_command bird_configure_check(void);
struct bird_command bird_configure(void);

// BIRD's log on this connection, from a ring of so many bytes (2.x only).
struct bird_command bird_echo(unsigned bytes);
