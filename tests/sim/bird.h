// A model of BIRD for the simulation: protocols, sessions, the include file, and two control
// connections whose commands it does in order, sooner or later. What its neighbours see follows
// from that alone.
#pragma once

#include "controller/config/config.h"
#include "controller/core/core.h"

#define MODEL_SESSIONS  3
#define MODEL_PROTOCOLS 64
#define MODEL_PREFIXES  32
#define MODEL_QUEUE     4096
#define MODEL_FILE_MAX  32768

enum view { VIEW_NONE, VIEW_PRIMARY, VIEW_DRAIN, VIEW_OTHER };

struct model_protocol {
    char name[BIRD_PROTOCOL_MAX];
    bool enabled;
};

struct model_command {
    uint64_t token;
    uint64_t at_ns; // when BIRD gets round to it
    char text[BIRD_COMMAND_MAX];
};

struct model_connection {
    bool open;
    struct model_command queue[MODEL_QUEUE];
    size_t first, count;
};

struct model_prefix {
    char text[PREFIX_TEXT_MAX];
    char primary[BIRD_PROTOCOL_MAX], drain[BIRD_PROTOCOL_MAX];
    size_t service;
    bool device; // the address is on lo, and BIRD has `protocol direct`
    enum view seen[MODEL_SESSIONS];
};

struct model {
    bool running, hung;
    bool include_line;         // bird.conf has it
    bool broken;               // somebody has half-edited bird.conf
    bool leaks;                // an export filter takes device routes too
    char disk[MODEL_FILE_MAX]; // the include file
    size_t disk_length;
    bool disk_exists;
    struct model_protocol protocols[MODEL_PROTOCOLS];
    size_t protocol_count;
    bool pipes, pipe_enabled;
    char revision[REVISION_TEXT_MAX]; // loaded; empty: none
    bool established[MODEL_SESSIONS];
    struct model_connection connections[2]; // by enum order_link
    struct model_prefix prefixes[MODEL_PREFIXES];
    size_t prefix_count;
    uint64_t changes; // of what neighbours see
};

void model_init(struct model *model, const struct config *config);
void model_start(struct model *model);
void model_stop(struct model *model); // both connections are lost
void model_configure(struct model *model, bool *ok, char message[ERROR_MAX]);
bool model_switch(struct model *model, const char *pattern,
                  bool enable);      // false: no protocols match
void model_see(struct model *model); // recomputes what neighbours see

// Does the oldest command of the connection and answers into core (NULL: nobody listens any more).
void model_do(struct model *model, enum order_link link, struct core *core, uint64_t now_ns);
void model_queue(struct model *model, const struct order *order, uint64_t at_ns);
