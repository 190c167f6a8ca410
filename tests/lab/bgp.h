// BGP-4 messages, as far as the tap needs them: bytes from and to structs. Pure.
//
// RFC 4271 (messages), RFC 4760 (IPv6), RFC 6793 (four-byte AS numbers), RFC 1997, 8092 and 4360
// (communities). Four-byte AS numbers are taken as agreed. Numbers in structs are in host order.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BGP_MESSAGE_MAX   4096
#define BGP_HEADER_BYTES  19
#define BGP_PATH_MAX      32
#define BGP_COMMUNITY_MAX 32

enum bgp_type { BGP_OPEN = 1, BGP_UPDATE, BGP_NOTIFICATION, BGP_KEEPALIVE };
enum bgp_family { BGP_V4, BGP_V6 };

struct bgp_prefix {
    uint8_t family;
    uint8_t length; // bits
    uint8_t address[16];
};

// What an announcement says of its path. Lists longer than ours are cut.
struct bgp_attributes {
    uint32_t as_path[BGP_PATH_MAX]; // the neighbour first; sequences and sets in a row
    uint32_t communities[BGP_COMMUNITY_MAX][2];
    uint32_t large_communities[BGP_COMMUNITY_MAX][3];
    uint64_t ext_communities[BGP_COMMUNITY_MAX]; // the eight bytes as one number
    size_t as_path_length, community_count, large_community_count, ext_community_count;
    bool has_med, has_local_pref;
    uint32_t med, local_pref;
    uint8_t next_hop[16]; // of the prefixes' family
};

// "192.0.2.53/32"; false if it is no prefix.
bool bgp_prefix_parse(const char *text, struct bgp_prefix *out);

// These write one message of at most BGP_MESSAGE_MAX bytes and return its length.
size_t bgp_write_open(uint8_t *out, uint32_t as, uint16_t hold_seconds, uint32_t id);
size_t bgp_write_keepalive(uint8_t *out);
size_t bgp_write_cease(uint8_t *out); // NOTIFICATION: administrative shutdown (RFC 4486)

// Announces as many of the prefixes (of one family) as one message holds, or withdraws them when
// attributes is NULL. *taken says how many.
size_t bgp_write_update(uint8_t *out, const struct bgp_attributes *attributes,
                        const struct bgp_prefix *prefixes, size_t count, size_t *taken);

// Length of the first message in bytes: 0 when not all of it is there, -1 when it is garbled.
ssize_t bgp_message_length(const uint8_t *bytes, size_t length);
enum bgp_type bgp_message_type(const uint8_t *message);

// Calls on_prefix for each prefix of an UPDATE, in the order: withdrawn, then announced. attributes
// is NULL for the withdrawn ones, and the same pointer for all announced ones; valid in the
// callback. False when the message is garbled.
typedef void (*bgp_prefix_cb)(void *arg, const struct bgp_prefix *prefix,
                              const struct bgp_attributes *attributes);
bool bgp_read_update(const uint8_t *message, size_t length, bgp_prefix_cb on_prefix, void *arg);
