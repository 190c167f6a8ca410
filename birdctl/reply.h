// BIRD's control protocol, the reading half: bytes in, lines and replies out. Pure.
//
// BIRD answers a command with lines "NNNN-text" and a last line "NNNN text"; a line that starts
// with a space carries the code before it. Log echo (`echo`) puts lines that start with '+'
// anywhere between them, and "<12 messages lost>" where it could not keep up (BIRD's nest/cli.c,
// opening comment and cli_copy_message(); bird-facts 8 and 9). Rows are matched by their code and
// by the words that all versions from 2.0.8 to 3.x share; whatever else a row says is skipped.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIRD_LINE_MAX 4096 // longer lines are cut, and marked as such
#define BIRD_NAME_MAX 65   // BIRD's names have up to 64 bytes (SYM_MAX_LEN in conf/conf.h)

enum bird_line_kind {
    BIRD_LINE,    // of a reply, more to come
    BIRD_LAST,    // the last line of a reply
    BIRD_ECHO,    // a log line that BIRD echoed, or word of lost ones; code is 0
    BIRD_GARBLED, // not of this protocol: the connection is of no more use
};

struct bird_line {
    enum bird_line_kind kind;
    unsigned code;    // 0 .. 9999
    bool cut;         // longer than BIRD_LINE_MAX
    const char *text; // without code and newline, NUL-terminated; valid during the callback
    size_t length;
};

// Carries what is left of a line between two feeds. Zero it to begin.
struct bird_reader {
    unsigned code;
    size_t length;
    bool cut;
    char line[BIRD_LINE_MAX + 8];
};

typedef void (*bird_line_cb)(void *arg, const struct bird_line *line);

// Takes any split of the byte stream; calls on_line for each whole line, in order.
void bird_reader_feed(struct bird_reader *reader, const char *bytes, size_t length,
                      bird_line_cb on_line, void *arg);

// The connection that replies come over (birdctl/session.h keeps it up).
enum bird_link {
    BIRD_LINK_DOWN,   // not connected: reason says why, reconnecting
    BIRD_LINK_UP,     // greeted
    BIRD_LINK_SILENT, // connected, but a command's or the greeting's deadline has passed
};

// How a command ended.
enum bird_end {
    BIRD_END_REPLY, // the last line came; code is set
    BIRD_END_LOST,  // the connection went before it: BIRD may or may not have done it
};

// The reply codes that mean something to us (BIRD's doc/reply_codes). Below 1000 are reports of
// success, 1xxx are rows, 2xxx headings, 8xxx failures and 9xxx commands that are no commands.
enum bird_code {
    BIRD_CODE_OK = 0,
    BIRD_CODE_GREETING = 1,
    BIRD_CODE_READING = 2, // the configuration
    BIRD_CODE_RECONFIGURED = 3,
    BIRD_CODE_RECONFIGURING = 4, // in the background
    BIRD_CODE_QUEUED = 5,        // behind such a one
    BIRD_CODE_SHUTTING_DOWN = 6,
    BIRD_CODE_ALREADY_DISABLED = 8,
    BIRD_CODE_DISABLED = 9,
    BIRD_CODE_ALREADY_ENABLED = 10,
    BIRD_CODE_ENABLED = 11,
    BIRD_CODE_CONFIG_OK = 20,   // of a check
    BIRD_CODE_UNCONFIRMED = 22, // it will be undone unless it is confirmed
    BIRD_CODE_PROTOCOL = 1002,
    BIRD_CODE_PROTOCOL_DETAIL = 1006,
    BIRD_CODE_ROUTE = 1007,
    BIRD_CODE_ATTRIBUTE = 1012, // of the route above, with `all`
    BIRD_CODE_BFD = 1020,
    BIRD_CODE_PROTOCOL_HEADING = 2002,
    BIRD_CODE_NO_ROUTE = 8001, // the network is not in the table
    BIRD_CODE_CONFIG_ERROR = 8002,
    BIRD_CODE_NO_PROTOCOL = 8003, // none matches
    BIRD_CODE_ACCESS_DENIED = 8007,
    BIRD_CODE_SYNTAX = 9001,
    BIRD_CODE_NO_SYMBOL = 9002, // of that kind
};

// What a reply code asks of us, by number only (the texts differ between versions).
enum bird_outcome {
    BIRD_OK, // any below 8000: done
    BIRD_NO_PROTOCOL,
    BIRD_NO_ROUTE,
    BIRD_CONFIG_ERROR,
    BIRD_ACCESS_DENIED,
    BIRD_SYNTAX,  // any from 9000
    BIRD_RUNTIME, // any other from 8000
};
enum bird_outcome bird_outcome(unsigned code);
// The same of `enable` and `disable`, which say in a syntax error that there is no protocol of a
// name that stands without quotes (proto_patt in BIRD's nest/config.Y).
enum bird_outcome bird_switch_outcome(unsigned code, const char *text);

// The bird_parse_ functions return whether the line is such a row, and fill out only then.

// A row of `show protocols`, e.g. "up1  BGP  ---  up  00:22:45.151  Established". The time
// may be of several words (`timeformat protocol`), info may be empty, and is cut to its array.
struct bird_protocol {
    char name[BIRD_NAME_MAX], type[24], table[BIRD_NAME_MAX], state[16], info[64];
    bool up;          // state "up"
    bool down;        // state "down": its routes are gone, too
    bool established; // a BGP session that is up and says Established
};
bool bird_parse_protocol(const struct bird_line *line, struct bird_protocol *out);

// Of `show protocols all`: "Description:    popgate 0123abcd" (cut to size).
bool bird_parse_description(const struct bird_line *line, char *out, size_t size);

// What `show protocols all` says of a BGP session. What one side said of itself when the session
// was opened:
struct bird_capabilities {
    bool graceful,
        long_lived; // it knows graceful restart (RFC 4724), the long-lived one (RFC 9494)
    uint32_t restart_s, stale_s; // for how long its routes are to be kept while it restarts; 0: not
};
#define BIRD_ADDRESS_MAX 64 // with an interface: "fe80::1%eth0"
struct bird_bgp {
    char neighbor[BIRD_ADDRESS_MAX];
    bool range; // it is no session, but makes one of each neighbor within a range
    uint32_t neighbor_as, local_as; // 0: not said
    bool ipv4, ipv6; // it has channels for them; of a session that is established: which are up
    bool open;       // the session is established, and the rest known
    struct bird_capabilities ours, theirs;
    uint32_t hold_s; // 0: the session does without
    bool limited;    // an `export limit` may keep back what the filter lets through
    // A number made of how many routes its channels have exported and withdrawn so far: while it is
    // the same, so is what they export. 0: not said.
    uint64_t exported;
};

// A number made of so_far (0: nothing yet) and of what the line of `show protocols all` says that a
// channel has announced and withdrawn since BIRD's start, there or from there; so_far when it says
// nothing of that.
uint64_t bird_exported(uint64_t so_far, const struct bird_line *line);
uint64_t bird_imported(uint64_t so_far, const struct bird_line *line);

// The lines of that reply, in order: those of the protocol of that name are read into bgp. Zero it
// but for the name to begin; found: there is a BGP protocol of that name.
struct bird_bgp_reader {
    char name[BIRD_NAME_MAX];
    bool found, inside;
    struct bird_capabilities *side; // whose capabilities are being read, or NULL
    bool *channel;                  // which one is being read, or NULL
    struct bird_bgp bgp;
};
void bird_bgp_line(struct bird_bgp_reader *reader, const struct bird_line *line);

// A row of `show bfd sessions`.
struct bird_bfd {
    char address[BIRD_ADDRESS_MAX], interface[32];
    char state[12]; // "Up", "Down", "Init", "AdminDown"
};
bool bird_parse_bfd(const struct bird_line *line, struct bird_bfd *out);

// Of `show route`: the name in brackets of one route's line, whether it is the best ("*", or "!"
// when it is but the kernel refused it), and whether it leads somewhere ("unicast", not
// "blackhole", "unreachable" or "prohibited"). Lines without a route (table headings, nexthops,
// counts) return false.
struct bird_route {
    char protocol[BIRD_NAME_MAX];
    bool best;
    bool unicast;
};
bool bird_parse_route(const struct bird_line *line, struct bird_route *out);

// Does this end of `show route PREFIX export SESSION` tell what is exported? After routes, or that
// there is none, or that the session takes none of this kind; by code and text, since the last is a
// 9001 as for a question that BIRD did not understand.
bool bird_tells_export(unsigned code, const char *text);

// Of `show route ... all`, an attribute of the route above: "\tBGP.community: (64512,100)" in 2.x,
// "\tbgp_community: (64512,100)" in 3.x. Lists that are long go on in lines of two tabs
// (ea_show_int_set() in nest/rt-attr.c): BIRD_ATTRIBUTE_MORE.
enum bird_attribute_kind {
    BIRD_ATTRIBUTE_OTHER,
    BIRD_ATTRIBUTE_MORE, // of the attribute above
    BIRD_ATTRIBUTE_PATH, // "64512 64512"
    BIRD_ATTRIBUTE_MED,
    BIRD_ATTRIBUTE_LOCAL_PREF,
    BIRD_ATTRIBUTE_COMMUNITIES,       // "(64512,100) (65535,0)"
    BIRD_ATTRIBUTE_LARGE_COMMUNITIES, // "(64512, 1, 2)"
    BIRD_ATTRIBUTE_EXT_COMMUNITIES,   // "(rt, 64512, 10)"
};
struct bird_attribute {
    enum bird_attribute_kind kind;
    const char *value; // the line's
};
bool bird_parse_attribute(const struct bird_line *line, struct bird_attribute *out);

// The version in the greeting ("BIRD 2.0.12 ready.") of code 0001; false if it is none.
// Versions that echo their log; 3.x has no such command (bird-facts 8).
#define BIRD_ECHO_MAJOR 2

struct bird_version {
    unsigned major, minor, patch;
};
bool bird_parse_greeting(const struct bird_line *line, struct bird_version *out);
