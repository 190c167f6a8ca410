// A model of BIRD for the simulation: protocols, sessions, the include file, and what it answers to
// commands, by their words alone. It reads the include file by itself, as BIRD would; what its
// neighbours see follows from that and from nothing else.
#pragma once

#include "birdctl/reply.h"
#include "tests/sim/scene.h"

#define MODEL_SESSIONS     3
#define MODEL_PROTOCOLS    (SCENE_SERVICES * 4)
#define MODEL_PREFIXES     ((size_t)SCENE_PLOTS * PLOT_PREFIXES)
#define MODEL_NAME_MAX     64
#define MODEL_FILE_MAX     131072
#define MODEL_REVISION_MAX 24

enum view { VIEW_NONE, VIEW_PRIMARY, VIEW_DRAIN, VIEW_OTHER };

struct model_file {
    char text[MODEL_FILE_MAX];
    size_t length;
    bool exists;
};

struct model_protocol {
    char name[MODEL_NAME_MAX];
    bool enabled, drain;
    unsigned service; // by the number in its name
    unsigned family;
    size_t prefixes[PLOT_PREFIXES];
    size_t prefix_count;
};

struct model_prefix {
    char text[PREFIX_TEXT_MAX];
    const struct model_protocol *primary, *twin; // that have a route for it; NULL: none
    bool device; // the address is on lo, and BIRD has `protocol direct`
    enum view seen[MODEL_SESSIONS];
};

// What a file says: the same for what BIRD has loaded and for what is on disk.
struct model_conf {
    struct model_protocol protocols[MODEL_PROTOCOLS];
    size_t protocol_count;
    bool pipes[FAMILIES];
    char revision[MODEL_REVISION_MAX]; // empty: none
};

struct model {
    bool running, hung;
    bool refuses;      // `restrict`: looks only (8007)
    bool include_line; // bird.conf has it
    bool broken;       // somebody has half-edited bird.conf
    bool leaks;        // an export filter takes device routes too
    bool strips;       // export filters take communities off
    unsigned cut;      // lines until a question's answer ends with 9001; 0: never
    // Another PoP announces the addresses of the plot, and OSPF says so; since when that is so.
    bool elsewhere[SCENE_PLOTS];
    uint64_t elsewhere_changed_ns[SCENE_PLOTS];
    struct model_file disk; // the include file
    struct model_conf loaded;
    bool pipe_enabled[FAMILIES];
    bool established[MODEL_SESSIONS];
    struct model_prefix prefixes[MODEL_PREFIXES]; // by plot
    uint64_t changes;                             // of what neighbours see
    uint64_t switched;                            // counts loads and switches
};

void model_init(struct model *model);
const struct model_prefix *model_prefix(const struct model *model, const char *text);
void model_start(struct model *model);
void model_stop(struct model *model);
bool model_configure(struct model *model);                                // false: refused
bool model_switch(struct model *model, const char *pattern, bool enable); // false: none match
void model_see(struct model *model); // recomputes what neighbours see
// BIRD has a route of ours to it, which its kernel protocol gives to the kernel.
bool model_has(const struct model *model, unsigned place);

// Reads a file of ours into out; false when it is none.
bool model_read(const struct model_file *file, struct model_conf *out);

// Its revision alone; empty: it is none of ours.
void model_revision(const struct model_file *file, char out[MODEL_REVISION_MAX]);

// Does a command and says its answer, the last line as BIRD_LAST.
typedef void (*model_answer_cb)(void *arg, const struct bird_line *line);
void model_do(struct model *model, const char *command, model_answer_cb answer, void *arg);
