// unbound, nginx and Glewlwyd side by side at one PoP: whatever befalls one of them, what the
// upstream sees is what should have happened to its prefixes, and nothing of the other two.
#include "tests/lab/trio.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Only the crash watch can withdraw with the first, only polling with the second.
#define NEVER_BY_FALL                                                                              \
    "interval = 200ms\nfast_interval = 50ms\ntimeout = 2s\nrise = 2\nfall = 1000\n"
#define BY_FALL                                                                                    \
    "interval = 200ms\nfast_interval = 50ms\ntimeout = 2s\nrise = 2\nfall = 2\nwatch = off\n"
#define TIMING "last_pop_guard = off\n" POP_TIMING

static void all_announced(const struct pop *pop)
{
    POP_WAIT_ANNOUNCED(pop);
    LAB_WAIT(tap_has(pop->tap, TRIO_WEB_V4) && tap_has(pop->tap, TRIO_LOGIN_V4),
             "the upstream to have all prefixes", POP_WAIT_MS);
}

static void run(const struct trio *trio, const struct trio_ports *ports, const char *probe_keys)
{
    char sections[LAB_CONFIG_MAX];

    pop_run(trio->pop, trio_sections(trio, ports, probe_keys, TIMING, sections));
    all_announced(trio->pop);
}

static void withdrawn(const struct pop *pop, enum trio_service service)
{
    if (service == TRIO_DNS) {
        POP_WAIT_WITHDRAWN(pop);
    }
    LAB_WAIT(!tap_has(pop->tap, trio_prefixes[service]), trio_names[service], POP_WAIT_MS);
}

// The upstream saw this of the service since mark, and nothing of the others.
static void saw_alone(const struct pop *pop, size_t mark, enum trio_service service,
                      const char *letters)
{
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        POP_HISTORY_OF(pop, trio_prefixes[i], mark, i == service ? letters : "");
    }
    POP_HISTORY_OF(pop, POP_V6, mark, service == TRIO_DNS ? letters : "");
}

// What popgated says of the service's (first) probe.
static void probe_says(const struct pop *pop, enum trio_service service, const char *what,
                       const char *part)
{
    char path[96];

    snprintf(path, sizeof path, "probes %s %s", trio_probes[service], what);
    LAB_WAIT(pop_says_part(pop, path, part), part, POP_WAIT_MS);
}

static long verdicts(const struct pop *pop, enum trio_service service, const char *kind)
{
    char path[96];

    snprintf(path, sizeof path, "probes %s verdicts %s", trio_probes[service], kind);
    return strtol(pop_status(pop, path), NULL, 10);
}

// So many checks more have passed.
static void checked_again(const struct pop *pop, enum trio_service service, long times)
{
    long before = verdicts(pop, service, "pass");

    LAB_WAIT(verdicts(pop, service, "pass") >= before + times, trio_probes[service], POP_WAIT_MS);
}

// ---- Wrong, killed, stopped

LAB_TEST(each_is_withdrawn_alone_when_only_its_own_probe_can_see_it)
{
    static const char *const codes[TRIO_SERVICES] = {"answer", "expired", "claim"};
    static const char *const causes[TRIO_SERVICES] = {
        "expected answer " POP_WWW_V4 ", got " TRIO_WRONG_V4,
        "certificate expired 3 days ago (CN=web.example.net, issuer CN=Example Root)",
        "region is " TRIO_WRONG_REGION ", this PoP expects " LAB_REGION,
    };
    struct pop pop = pop_make(&(struct pop_options){0});
    struct trio trio = trio_make(&pop);

    run(&trio, NULL, BY_FALL);
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        size_t mark = pop_mark(&pop);
        trio_break(&trio, i);
        withdrawn(&pop, i);
        probe_says(&pop, i, "verdict code", codes[i]);
        probe_says(&pop, i, "verdict cause", causes[i]);
        saw_alone(&pop, mark, i, "W");
        trio_mend(&trio, i);
        all_announced(&pop);
        saw_alone(&pop, mark, i, "WA");
    }
}

LAB_TEST(each_is_withdrawn_alone_when_it_is_killed)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    struct trio trio = trio_make(&pop);

    run(&trio, NULL, NEVER_BY_FALL);
    probe_says(&pop, TRIO_DNS, "watch", "kernel notifications");
    probe_says(&pop, TRIO_WEB, "watch", "tcp connection held");
    probe_says(&pop, TRIO_LOGIN, "watch", "tcp connection held");
    probe_says(&pop, TRIO_WEB, "not_after", "T");
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        size_t mark = pop_mark(&pop);
        trio_kill(&trio, i);
        withdrawn(&pop, i);
        probe_says(&pop, i, "verdict code", "refused");
        trio_revive(&trio, i);
        all_announced(&pop);
        saw_alone(&pop, mark, i, "WA");
    }
}

LAB_TEST(each_is_withdrawn_alone_when_it_hangs)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    struct trio trio = trio_make(&pop);

    run(&trio, NULL, BY_FALL);
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        size_t mark = pop_mark(&pop);
        trio_stop(&trio, i);
        withdrawn(&pop, i);
        probe_says(&pop, i, "verdict code", "timeout");
        trio_continue(&trio, i);
        all_announced(&pop);
        saw_alone(&pop, mark, i, "WA");
    }
}

LAB_TEST(a_quick_restart_within_crash_grace_is_not_seen_outside)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    struct trio trio = trio_make(&pop);

    run(&trio, NULL, NEVER_BY_FALL "crash_grace = 1h\n");
    size_t mark = pop_mark(&pop);
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        trio_kill(&trio, i);
        probe_says(&pop, i, "verdict code", "refused");
        trio_revive(&trio, i);
        probe_says(&pop, i, "verdict kind", "pass");
    }
    saw_alone(&pop, mark, TRIO_SERVICES, "");
}

// unbound and nginx read their configuration anew, and nginx ends its workers.
LAB_TEST(a_service_that_is_reloaded_is_not_withdrawn)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    struct trio trio = trio_make(&pop);

    run(&trio, NULL, NEVER_BY_FALL);
    probe_says(&pop, TRIO_DNS, "watch", "kernel notifications");
    probe_says(&pop, TRIO_WEB, "watch", "tcp connection held");
    size_t mark = pop_mark(&pop);
    trio_mend(&trio, TRIO_WEB); // nothing is broken: it reads what it read before
    trio_mend(&trio, TRIO_DNS);
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        checked_again(&pop, i, 4);
    }
    saw_alone(&pop, mark, TRIO_SERVICES, "");
}

// ---- Slow

// Between a probe and its service: hands on what the client says at once, and what the service
// answers to that late_ms later, however many pieces it comes in.
struct relay {
    const struct lab_node *node;
    struct sockaddr_in service;
    int listener;
    _Atomic unsigned late_ms;
    pthread_t thread;
};

struct relayed {
    struct relay *relay;
    int client, service;
};

static const struct trio_ports relay_ports = {{5300, 4430, 8000}};
static const uint16_t service_ports[TRIO_SERVICES] = {53, 443, 80};
static const char *const hosts[TRIO_SERVICES] = {"192.0.2.53", "192.0.2.80", "192.0.2.90"};
static struct relay relays[TRIO_SERVICES];
static int to_unbound[2];

static void be_late(const struct relay *relay)
{
    long ns = (long)relay->late_ms * 1000000;

    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = ns}, NULL);
}

static void *relay_connection(void *arg)
{
    struct relayed relayed = *(struct relayed *)arg;
    struct pollfd ends[2] = {{relayed.client, POLLIN, 0}, {relayed.service, POLLIN, 0}};
    bool open = true, asked = false;

    free(arg);
    while (open && poll(ends, 2, -1) > 0) {
        for (int i = 0; i < 2 && open; i++) {
            char bytes[4096];
            ssize_t got = ends[i].revents != 0 ? read(ends[i].fd, bytes, sizeof bytes) : 0;
            if (got > 0 && i == 1 && asked) {
                be_late(relayed.relay);
            }
            asked = got > 0 ? i == 0 : asked;
            open = ends[i].revents == 0 ||
                   (got > 0 && send(ends[1 - i].fd, bytes, (size_t)got, MSG_NOSIGNAL) == got);
        }
    }
    close(relayed.client);
    close(relayed.service);
    return NULL;
}

static void *relay_run(void *arg)
{
    struct relay *relay = arg;
    int client;

    lab_enter(relay->node);
    while ((client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_t thread;
        struct relayed *relayed = mint_require(malloc(sizeof *relayed));
        *relayed = (struct relayed){relay, client, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        lab_bound(relayed->service, POP_WAIT_MS);
        (void)connect(relayed->service, (const struct sockaddr *)&relay->service,
                      sizeof relay->service);
        pthread_create(&thread, NULL, relay_connection, relayed);
        pthread_detach(thread);
    }
    return NULL;
}

static void relay_end(void *arg)
{
    struct relay *relay = arg;

    shutdown(relay->listener, SHUT_RDWR);
    pthread_join(relay->thread, NULL);
    close(relay->listener);
}

static void relay_start(const struct trio *trio, enum trio_service service)
{
    struct relay *relay = &relays[service];
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(relay_ports.of[service])};

    inet_pton(AF_INET, hosts[service], &here.sin_addr);
    relay->node = trio->pop->node;
    relay->service = here;
    relay->service.sin_port = htons(service_ports[service]);
    relay->late_ms = 0;
    relay->listener = lab_socket(relay->node, AF_INET, SOCK_STREAM);
    assert_int_equal(bind(relay->listener, (const struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(listen(relay->listener, 64), 0);
    assert_int_equal(pthread_create(&relay->thread, NULL, relay_run, relay), 0);
    lab_at_clear(relay_end, relay);
}

// The same over UDP; arg is a socket to unbound.
static size_t relay_query(void *arg, const uint8_t *query, size_t length, uint8_t *answer,
                          size_t size)
{
    int service = *(const int *)arg;
    struct pollfd answered = {service, POLLIN, 0};

    if (send(service, query, length, 0) < 0 || poll(&answered, 1, POP_WAIT_MS) != 1) {
        return 0;
    }
    ssize_t got = recv(service, answer, size, 0);
    be_late(&relays[TRIO_DNS]);
    return got > 0 ? (size_t)got : 0;
}

static void socket_end(void *arg)
{
    close(*(const int *)arg);
}

static void relay_start_udp(const struct trio *trio, const char *address, int *service)
{
    const struct lab_node *node = trio->pop->node;
    struct sockaddr_in unbound = {.sin_family = AF_INET,
                                  .sin_port = htons(service_ports[TRIO_DNS])};

    inet_pton(AF_INET, hosts[TRIO_DNS], &unbound.sin_addr);
    *service = lab_socket(node, AF_INET, SOCK_DGRAM);
    lab_at_clear(socket_end, service);
    assert_int_equal(connect(*service, (const struct sockaddr *)&unbound, sizeof unbound), 0);
    lab_udp_server_start(trio->pop->node, address, relay_ports.of[TRIO_DNS], relay_query, service);
}

static void start_relays(const struct trio *trio)
{
    relays[TRIO_DNS].late_ms = 0;
    relay_start_udp(trio, "192.0.2.53", &to_unbound[0]);
    relay_start_udp(trio, "2001:db8::53", &to_unbound[1]);
    relay_start(trio, TRIO_WEB);
    relay_start(trio, TRIO_LOGIN);
}

LAB_TEST(each_is_depreferenced_alone_when_it_is_slow)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    struct trio trio = trio_make(&pop);

    start_relays(&trio);
    run(&trio, &relay_ports,
        "interval = 200ms\nfast_interval = 50ms\ntimeout = 10s\nrise = 2\nfall = 2\n"
        "max_latency = 600ms\n");
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        size_t mark = pop_mark(&pop);
        relays[i].late_ms = 800;
        LAB_WAIT(tap_has_community(pop.tap, trio_prefixes[i], 65535, 0), trio_names[i],
                 POP_WAIT_MS);
        probe_says(&pop, i, "verdict code", "slow");
        relays[i].late_ms = 0;
        LAB_WAIT(!tap_has_community(pop.tap, trio_prefixes[i], 65535, 0), trio_names[i],
                 POP_WAIT_MS);
        saw_alone(&pop, mark, i, "GA");
    }
}

// ---- Popgated itself is stopped

#define ASLEEP_MS 5000 // longer than a check may take, and than is allowed for a late timer
#define SLEEPS    2

// The services take their time, so that it is stopped in the middle of most of its checks; one
// failure would withdraw, and one slow answer depreference.
LAB_TEST(popgated_that_was_stopped_blames_nobody)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    struct trio trio = trio_make(&pop);

    start_relays(&trio);
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        relays[i].late_ms = 200;
    }
    run(&trio, &relay_ports,
        "interval = 100ms\nfast_interval = 50ms\ntimeout = 3s\nmax_latency = 2900ms\n"
        "rise = 2\nfall = 1\n");
    size_t mark = pop_mark(&pop);
    struct lab_process *popgated = lab_popgated_process(pop.popgated);
    for (int i = 0; i < SLEEPS; i++) {
        uint64_t end_ns = lab_now_ns() + ASLEEP_MS * UINT64_C(1000000);
        lab_stop(popgated);
        LAB_WAIT(lab_now_ns() >= end_ns, "every check's time to be over", POP_WAIT_MS);
        lab_cont(popgated);
        for (enum trio_service j = 0; j < TRIO_SERVICES; j++) {
            checked_again(&pop, j, 2);
        }
    }
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        assert_int_equal(verdicts(&pop, i, "fail"), 0);
        assert_int_equal(verdicts(&pop, i, "degraded"), 0);
    }
    saw_alone(&pop, mark, TRIO_SERVICES, "");
}
