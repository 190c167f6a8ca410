// A whole PoP: see pop.h. popgated is asked by a client of the lab's own.
#include "tests/lab/pop.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROUTER_V4     "10.0.1.1"
#define UPSTREAM_V4   "10.0.1.2"
#define ROUTER_V6     "2001:db8:1::1"
#define UPSTREAM_V6   "2001:db8:1::2"
#define IBGP_V4       "10.0.2.1"
#define ANOTHER_V4    "10.0.2.2"
#define IBGP_V6       "2001:db8:2::1"
#define ANOTHER_V6    "2001:db8:2::2"
#define TO_TRANSIT_V4 "10.0.3.1"
#define TRANSIT_V4    "10.0.3.2"
#define TO_TRANSIT_V6 "2001:db8:3::1"
#define TRANSIT_V6    "2001:db8:3::2"

#define ANSWER_MS    5000
#define HISTORY_MAX  64
#define INCLUDE_WORD "include"

char pop_output[LAB_OUTPUT_MAX];

// ---- The network

static void remove_include(char *config)
{
    char *line = strstr(config, INCLUDE_WORD);
    const char *after = strchr(line, '\n');

    memmove(line, after, strlen(after) + 1);
}

static void start_router(struct pop *pop, const struct pop_options *options)
{
    struct lab_router router = {
        .id = ROUTER_V4,
        .as = POP_AS,
        .neighbors = {{.name = "upstream",
                       .local = ROUTER_V4,
                       .remote = UPSTREAM_V4,
                       .as = UPSTREAM_AS,
                       .exports = options->exports,
                       .passive = true}},
        .direct_lo = options->direct_lo,
        .extra = options->extra,
    };
    size_t count = 1;

    if (options->another_pop) {
        router.neighbors[count++] = (struct lab_neighbor){.name = "another_pop",
                                                          .local = IBGP_V4,
                                                          .remote = ANOTHER_V4,
                                                          .as = POP_AS,
                                                          .passive = true};
    }
    if (options->transit) {
        router.neighbors[count++] = (struct lab_neighbor){
            .name = POP_TRANSIT, .local = TO_TRANSIT_V4, .remote = TRANSIT_V4, .as = TRANSIT_AS};
    }
    lab_router_config(pop->node, &router, pop->bird_conf);
    if (options->no_include) {
        remove_include(pop->bird_conf);
    }
    pop->bird = lab_bird_start(pop->node, pop->bird_conf);
}

static void start_upstream(struct pop *pop)
{
    struct lab_node *upstream = pop->upstream = lab_node("upstream");

    lab_link(pop->node, ROUTER_V4 "/24 " ROUTER_V6 "/64", upstream,
             UPSTREAM_V4 "/24 " UPSTREAM_V6 "/64");
    pop->tap = tap_start(upstream, &(struct tap_options){.local = UPSTREAM_V4,
                                                         .peer = ROUTER_V4,
                                                         .other = UPSTREAM_V6,
                                                         .as = UPSTREAM_AS,
                                                         .router_as = POP_AS});
}

static void start_another_pop(struct pop *pop)
{
    struct lab_node *another = lab_node("another");

    lab_link(pop->node, IBGP_V4 "/24 " IBGP_V6 "/64", another, ANOTHER_V4 "/24 " ANOTHER_V6 "/64");
    pop->another_pop = tap_start(another, &(struct tap_options){.local = ANOTHER_V4,
                                                                .peer = IBGP_V4,
                                                                .other = ANOTHER_V6,
                                                                .as = POP_AS,
                                                                .router_as = POP_AS});
}

static void start_transit(struct pop *pop)
{
    char config[LAB_CONFIG_MAX];
    struct lab_node *node = pop->transit_node = lab_node("transit");
    struct lab_router router = {
        .id = TRANSIT_V4,
        .as = TRANSIT_AS,
        .neighbors = {{.name = "pop",
                       .local = TRANSIT_V4,
                       .remote = TO_TRANSIT_V4,
                       .as = POP_AS,
                       .passive = true}},
    };

    lab_link(pop->node, TO_TRANSIT_V4 "/24 " TO_TRANSIT_V6 "/64", node,
             TRANSIT_V4 "/24 " TRANSIT_V6 "/64");
    pop->transit = lab_bird_start(node, lab_router_config(node, &router, config));
}

const struct lab_unbound pop_unbound = {
    .listen = "192.0.2.53 2001:db8::53",
    .zone = "example.net.",
    .local_data = POP_WWW ". A " POP_WWW_V4 "\n" POP_WWW ". AAAA 2001:db8::80",
};

static void start_unbound(struct pop *pop, const struct pop_options *options)
{
    lab_address_add(pop->node, POP_V4 " " POP_V6);
    pop->unbound = lab_unbound_start(pop->node, &pop_unbound);
    if (options->no_unbound) {
        lab_kill(pop->unbound);
    }
}

struct pop pop_make(const struct pop_options *options)
{
    struct pop pop = {.node = lab_node("pop")};

    start_upstream(&pop);
    if (options->another_pop) {
        start_another_pop(&pop);
    }
    if (options->transit) {
        start_transit(&pop);
    }
    if (!options->bare) {
        start_unbound(&pop, options);
    }
    start_router(&pop, options);
    LAB_WAIT(tap_established(pop.tap) && lab_bird_established(pop.bird, "upstream"),
             "the session with the upstream", POP_WAIT_MS);
    LAB_WAIT(pop.another_pop == NULL || tap_established(pop.another_pop),
             "the session with the other PoP", POP_WAIT_MS);
    LAB_WAIT(pop.transit == NULL || lab_bird_established(pop.bird, POP_TRANSIT),
             "the session with the transit", POP_WAIT_MS);
    return pop;
}

// ---- Popgated

void pop_run(struct pop *pop, const char *sections)
{
    char config[LAB_CONFIG_MAX];

    pop->popgated = lab_popgated_start(
        pop->node, lab_popgated_config(pop->node, pop->bird, POP_AS, sections, config));
}

void pop_write(struct pop *pop, const char *sections)
{
    char config[LAB_CONFIG_MAX];

    lab_write(pop->node, "popgate.conf",
              lab_popgated_config(pop->node, pop->bird, POP_AS, sections, config));
}

void pop_reload(struct pop *pop, const char *sections)
{
    char config[LAB_CONFIG_MAX];

    lab_popgated_reload(pop->popgated,
                        lab_popgated_config(pop->node, pop->bird, POP_AS, sections, config));
}

// ---- What the upstream sees

bool pop_announced(const struct pop *pop)
{
    return tap_has(pop->tap, POP_V4) && tap_has(pop->tap, POP_V6);
}

bool pop_withdrawn(const struct pop *pop)
{
    return !tap_has(pop->tap, POP_V4) && !tap_has(pop->tap, POP_V6);
}

bool pop_draining(const struct pop *pop)
{
    return tap_has_community(pop->tap, POP_V4, 65535, 0) &&
           tap_has_community(pop->tap, POP_V6, 65535, 0);
}

size_t pop_mark(const struct pop *pop)
{
    lab_barrier(pop->bird, pop->tap);
    return tap_event_count(pop->tap);
}

static bool is_draining(const struct bgp_attributes *attributes)
{
    for (size_t i = 0; i < attributes->community_count; i++) {
        if (attributes->communities[i][0] == 65535 && attributes->communities[i][1] == 0) {
            return true;
        }
    }
    return false;
}

static char letter_of(const struct tap_event *event)
{
    if (event->kind == TAP_ANNOUNCED) {
        return is_draining(event->attributes) ? 'G' : 'A';
    }
    return event->kind == TAP_WITHDRAWN ? 'W' : 'L';
}

static void seen_of(const struct pop *pop, const char *prefix, size_t mark,
                    char seen[HISTORY_MAX + 1])
{
    struct tap_event events[HISTORY_MAX];
    size_t count = tap_events(pop->tap, mark, prefix, events, HISTORY_MAX);
    size_t length = count < HISTORY_MAX ? count : HISTORY_MAX;

    for (size_t i = 0; i < length; i++) {
        seen[i] = letter_of(&events[i]);
    }
    seen[length] = '\0';
}

bool pop_saw(const struct pop *pop, size_t mark, const char *letters)
{
    char ipv4[HISTORY_MAX + 1], ipv6[HISTORY_MAX + 1];

    seen_of(pop, POP_V4, mark, ipv4);
    seen_of(pop, POP_V6, mark, ipv6);
    return strcmp(ipv4, letters) == 0 && strcmp(ipv6, letters) == 0;
}

void pop_history_of(const struct pop *pop, const char *prefix, size_t mark, const char *letters,
                    const char *file, int line)
{
    char seen[HISTORY_MAX + 1];

    lab_barrier(pop->bird, pop->tap);
    seen_of(pop, prefix, mark, seen);
    if (strcmp(seen, letters) != 0) {
        lab_fail("%s:%d: the upstream saw \"%s\" of %s, and not \"%s\"", file, line, seen, prefix,
                 letters);
    }
}

void pop_history(const struct pop *pop, size_t mark, const char *letters, const char *file,
                 int line)
{
    pop_history_of(pop, POP_V4, mark, letters, file, line);
    pop_history_of(pop, POP_V6, mark, letters, file, line);
}

// ---- What popgated says

static int dial(const struct pop *pop)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    lab_path(pop->node, "run/popgate.sock", address.sun_path);
    lab_bound(fd, ANSWER_MS); // where nobody accepts, connect() waits, too
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

// The whole answer, malloc'd; NULL when none comes.
static char *ask(const struct pop *pop, const char *target)
{
    size_t length = 0, capacity = 1 << 16;
    ssize_t got = 0;
    int fd = dial(pop);
    char *answer = fd >= 0 ? malloc(capacity) : NULL;
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    if (answer == NULL || dprintf(fd, "GET %s HTTP/1.1\r\nHost: pop\r\n\r\n", target) < 0) {
        goto end;
    }
    while (poll(&readable, 1, ANSWER_MS) == 1 &&
           (got = read(fd, answer + length, capacity - length - 1)) > 0) {
        length += (size_t)got;
        if (capacity - length < 4096) {
            char *more = realloc(answer, capacity *= 2);
            if (more == NULL) {
                lab_fail("out of memory");
            }
            answer = more;
        }
    }
    answer[length] = '\0';
end:
    if (fd >= 0) {
        close(fd);
    }
    return answer;
}

static json_t *ask_json(const struct pop *pop, const char *target)
{
    char *answer = ask(pop, target);
    const char *body = answer != NULL ? strstr(answer, "\r\n\r\n") : NULL;
    json_t *root = body != NULL ? json_loads(body, 0, NULL) : NULL;

    free(answer);
    return root;
}

static bool is_called(const json_t *item, const char *name)
{
    const char *own = json_string_value(json_object_get(item, "name"));
    const char *prefix = json_string_value(json_object_get(item, "prefix"));

    return (own != NULL && strcmp(own, name) == 0) || (prefix != NULL && strcmp(prefix, name) == 0);
}

static const json_t *member(const json_t *json, const char *name)
{
    if (!json_is_array(json)) {
        return json_object_get(json, name);
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (is_called(json_array_get(json, i), name)) {
            return json_array_get(json, i);
        }
    }
    return NULL;
}

static void write_value(const json_t *json, char *out, size_t size)
{
    if (json_is_string(json)) {
        snprintf(out, size, "%s", json_string_value(json));
    } else if (json_is_integer(json)) {
        snprintf(out, size, "%lld", (long long)json_integer_value(json));
    } else if (json_is_boolean(json)) {
        snprintf(out, size, "%s", json_is_true(json) ? "true" : "false");
    } else {
        out[0] = '\0';
    }
}

const char *pop_status(const struct pop *pop, const char *path)
{
    static char value[1024];
    char words[256];
    char *rest = words, *word;
    json_t *root = ask_json(pop, "/v1/status?full=1");
    const json_t *at = root;

    snprintf(words, sizeof words, "%s", path);
    while (at != NULL && (word = strsep(&rest, " ")) != NULL) {
        at = member(at, word);
    }
    write_value(at, value, sizeof value);
    json_decref(root);
    return value;
}

bool pop_says(const struct pop *pop, const char *path, const char *value)
{
    return strcmp(pop_status(pop, path), value) == 0;
}

bool pop_says_part(const struct pop *pop, const char *path, const char *part)
{
    return strstr(pop_status(pop, path), part) != NULL;
}

bool pop_has_event(const struct pop *pop, const char *text)
{
    json_t *root = ask_json(pop, "/v1/events");
    const json_t *events = json_object_get(root, "events");
    bool found = false;

    for (size_t i = 0; i < json_array_size(events) && !found; i++) {
        const char *own = json_string_value(json_object_get(json_array_get(events, i), "text"));

        found = own != NULL && strstr(own, text) != NULL;
    }
    json_decref(root);
    return found;
}

void pop_command(const struct pop *pop, int status, const char *const words[], const char *file,
                 int line)
{
    int ended = lab_popgate(pop->node, pop_output, words);

    if (ended != status) {
        lab_fail("%s:%d: popgate %s ended with %d, not %d, and wrote:\n%s", file, line, words[0],
                 ended, status, pop_output);
    }
}
