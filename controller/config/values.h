// The values that only popgate.conf has: prefixes, communities, names for BIRD, paths.
//
// Each value_*() is a parse() of struct key (base/keys.h): it sets or appends to the field that
// it is given, which must be the one of struct config or struct service_conf that it is named
// after. All that may later stand in BIRD's text comes through here, and nothing that does could
// mean anything else there: numbers are made anew, names have no quotes.
#pragma once

#include "controller/config/config.h"

int value_community(const char *word, void *field, char error[ERROR_MAX]);
int value_large_community(const char *word, void *field, char error[ERROR_MAX]);
int value_ext_community(const char *word, void *field, char error[ERROR_MAX]);
int value_med(const char *value, void *field, char error[ERROR_MAX]);
int value_local_pref(const char *value, void *field, char error[ERROR_MAX]);
int value_session(const char *word, void *field, char error[ERROR_MAX]);

int value_label(const char *value, void *field, char error[ERROR_MAX]);  // char[64]
int value_symbol(const char *value, void *field, char error[ERROR_MAX]); // char[64]
int value_path(const char *value, void *field, char error[ERROR_MAX]);   // char[PATH_LEN_MAX]

// How far an address of `listen` reaches.
enum reach { REACH_HOST, REACH_ANY, REACH_WILDCARD };
enum reach listen_reach(const struct endpoint *address);

// Whether one is the wildcard that has the other in it: the kernel gives nobody both.
bool listen_overlaps(const struct endpoint *a, const struct endpoint *b);

// What in text, which may become a name, is a mistake: an IP address, or what hosts' names don't
// have. Letters, digits, - and _, escapes for those who mean it, and "*" as the first label where a
// wildcard may be. NULL: nothing.
const char *domain_mistake(const char *text, bool wildcard);

int value_listen(const char *word, void *field, char error[ERROR_MAX]);
int value_server(const char *word, void *field, char error[ERROR_MAX]);   // responder.ns
int value_zone(const char *value, void *field, char error[ERROR_MAX]);    // struct dns_name
int value_mailbox(const char *value, void *field, char error[ERROR_MAX]); // the same
int value_ttl(const char *value, void *field, char error[ERROR_MAX]);     // uint32_t seconds

// [A-Za-z][A-Za-z0-9_-]*, shorter than size: what a probe or a service may be called.
int name_check(const char *name, size_t size, char error[ERROR_MAX]);

// For the functions above.

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

// The struct of which field is the member.
#define OWNER(field, type, member) ((type *)((char *)(field)-offsetof(type, member)))

// The number that all of text is, in decimal, or in hexadecimal after 0x; false if it is none or
// larger than max.
bool number_parse(const char *text, size_t length, uint64_t max, uint64_t *out);

// Appends item to the array at items, which has count items of size bytes. 0, or -1 with a message.
int list_append(void *items, size_t *count, const void *item, size_t size, char error[ERROR_MAX]);
