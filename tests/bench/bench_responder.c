// The responder beside Knot DNS and NSD, with a zone that gives the same answers: how many queries
// a second one worker answers, how long they take at half that load; and whether popgated withdraws
// as fast while its responder has more to do than it can.
//
// Servers run on the first core, what asks them on the second. Each round asks all of them, one
// after the other. The limit is a program that sends back packets of the same sizes and does
// nothing else (echo_main()).
#include "tests/bench/cost.h"
#include "tests/bench/report.h"
#include "tests/lab/dns_load.h"
#include "tests/lab/pop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define SERVER_CPU  0
#define CLIENT_CPU  1
#define WORKER_NICE 5
#define ADDRESS     "192.0.2.53"
#define ECHO_PORT   5300

#define ROUNDS          9
#define ROUND_S         1
#define OUTSTANDING     200
#define SOCKETS         16
#define SAMPLE_PAUSE_US 500
#define FLOOD_MS        500
#define TRIES           20
#define SETTLE_MS       200 // at most, before the kill
#define SPEED_GOAL      (1 / 1.2)

#define ZONE       "pop.example.net"
#define ANSWER     "api." ZONE
#define ANSWER_V4  "192.0.2.10"
#define ID_ADDRESS "198.51.100.1"

enum server { POPGATE, KNOT, NSD, ECHO, SERVERS };
static const char *const server_names[] = {"popgate", "Knot", "NSD", "echo"};

enum load { IDENTITY, NAME, LOADS };
static const struct {
    const char *what;
    struct lab_query query;
} loads[] = {
    {"id.server CH TXT", {.name = "id.server", .type = DNS_TXT, .class = DNS_CLASS_CH}},
    {"[answer] name, A", {.name = ANSWER, .edns = true}},
};

static void run_on(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        lab_fail("run on core %d: %s", cpu, strerror(errno));
    }
}

static void run_anywhere(void)
{
    cpu_set_t set;

    memset(&set, 0xff, sizeof set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

// ---- The limit

#define ECHO_BATCH 64

static int echo_socket(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, ADDRESS, &address.sin_addr);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("echo: bind");
        exit(1);
    }
    return fd;
}

// Answers each query with itself and zeros after it, size bytes in all.
static _Noreturn void echo_main(uint16_t port, size_t size)
{
    static uint8_t bytes[ECHO_BATCH][LAB_QUERY_MAX];
    static struct sockaddr_in clients[ECHO_BATCH];
    struct mmsghdr messages[ECHO_BATCH] = {0};
    struct iovec parts[ECHO_BATCH];
    int fd = echo_socket(port);

    for (;;) {
        for (size_t i = 0; i < ECHO_BATCH; i++) {
            parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = sizeof bytes[i]};
            messages[i].msg_hdr = (struct msghdr){.msg_name = &clients[i],
                                                  .msg_namelen = sizeof clients[i],
                                                  .msg_iov = &parts[i],
                                                  .msg_iovlen = 1};
        }
        int got = recvmmsg(fd, messages, ECHO_BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            bytes[i][2] |= 0x80; // QR
            parts[i].iov_len = size;
        }
        if (got > 0) {
            (void)sendmmsg(fd, messages, (unsigned)got, 0);
        }
    }
}

// ---- The servers

struct bench {
    struct pop pop; // popgate's
    struct lab_node *nodes[SERVERS];
    struct lab_process *processes[SERVERS][LOADS];
    uint16_t ports[SERVERS][LOADS]; // 0: 53
};

static void use_process(struct bench *bench, enum server server, struct lab_process *process)
{
    for (enum load i = 0; i < LOADS; i++) {
        bench->processes[server][i] = process;
    }
}

static void start_popgate(struct bench *bench)
{
    bench->pop = pop_make(&(struct pop_options){.bare = true});
    bench->nodes[POPGATE] = bench->pop.node;
    lab_address_add(bench->pop.node, ADDRESS "/32");
    pop_run(&bench->pop, "[responder]\nlisten = " ADDRESS ":53\nzone = " ZONE "\n"
                         "ns = ns." ZONE "\nrate_limit = 0\nthreads = 1\n"
                         "[answer " ANSWER "]\nttl = 60\na = " ANSWER_V4 "\n"
                         "[probe tcp]\ntype = tcp\ntarget = 127.0.0.1:1\n"
                         "[service other]\nprefixes = 203.0.113.1/32\nrequire = tcp\n");
    use_process(bench, POPGATE, lab_popgated_process(bench->pop.popgated));
}

static struct lab_node *named_node(const char *name)
{
    struct lab_node *node = lab_node(name);

    lab_address_add(node, ADDRESS "/32");
    return node;
}

static void start_others(struct bench *bench)
{
    static const struct lab_authority authority = {
        .listen = ADDRESS,
        .zone = ZONE,
        .records = "api A " ANSWER_V4 "\n",
    };

    bench->nodes[KNOT] = named_node("kno");
    use_process(bench, KNOT, lab_knot_start(bench->nodes[KNOT], &authority));
    bench->nodes[NSD] = named_node("nsd");
    use_process(bench, NSD, lab_nsd_start(bench->nodes[NSD], &authority));
}

static struct lab_server server_of(const struct bench *bench, enum server server, enum load load)
{
    return (struct lab_server){
        .from = bench->nodes[server], .address = ADDRESS, .port = bench->ports[server][load]};
}

static size_t answer_size(const struct bench *bench, enum server server, enum load load)
{
    static uint8_t answer[DNS_MESSAGE_MAX];
    uint8_t query[LAB_QUERY_MAX];
    struct lab_server asked = server_of(bench, server, load);

    return lab_exchange(&asked, query, lab_query_write(&loads[load].query, 1, query), answer);
}

static void start_echoes(struct bench *bench)
{
    bench->nodes[ECHO] = named_node("ech");
    for (enum load i = 0; i < LOADS; i++) {
        char port[16], size[16], name[16];

        bench->ports[ECHO][i] = (uint16_t)(ECHO_PORT + i);
        snprintf(name, sizeof name, "echo%d", i);
        snprintf(port, sizeof port, "%u", bench->ports[ECHO][i]);
        snprintf(size, sizeof size, "%zu", answer_size(bench, POPGATE, i));
        bench->processes[ECHO][i] =
            lab_spawn(bench->nodes[ECHO],
                      &(struct lab_command){
                          .name = name, .argv = LAB_ARGV("/proc/self/exe", "--echo", port, size)});
        struct lab_server echo = server_of(bench, ECHO, i);
        LAB_WAIT(lab_answers(&echo, &loads[i].query), "the echo to answer", POP_WAIT_MS);
    }
}

// ---- Queries a second

// In s, of all its threads and processes.
static double runtime_of(const struct bench *bench, enum server server, enum load load)
{
    pid_t family[LAB_FAMILY_MAX];
    size_t count = lab_family(bench->processes[server][load], family);
    double sum_s = 0;

    for (size_t i = 0; i < count; i++) {
        sum_s += cost_runtime_s(family[i]);
    }
    return sum_s;
}

// Datagrams that were sent in the node: those of the server, and of whoever asks it.
static uint64_t datagrams_out(const struct lab_node *node)
{
    char line[1024];
    unsigned long long out = 0;

    lab_enter(node);
    FILE *stream = fopen("/proc/thread-self/net/snmp", "re");
    lab_leave();
    while (stream != NULL && fgets(line, sizeof line, stream) != NULL) {
        (void)sscanf(line, "Udp: %*u %*u %*u %llu", &out); // NOLINT(cert-err34-c): labels fail
    }
    if (stream == NULL || out == 0) {
        lab_fail("read how many datagrams were sent in node %s", lab_name(node));
    }
    fclose(stream);
    return out;
}

struct speeds {
    struct samples cpu_us, flooded_cpu_us, flooded_us; // per query
    struct samples qps;                                // that dnsperf got
    struct samples p50_ms, p99_ms;                     // at half of what dnsperf got
};

static struct lab_dnsperf dnsperf_of(const struct bench *bench, enum server server, enum load load)
{
    return (struct lab_dnsperf){
        .server = server_of(bench, server, load),
        .queries = &loads[load].query,
        .query_count = 1,
        .seconds = ROUND_S,
        .clients = SOCKETS,
        .outstanding = OUTSTANDING,
    };
}

static void ask_with_dnsperf(const struct bench *bench, enum server server, enum load load,
                             struct speeds *out)
{
    struct lab_dnsperf options = dnsperf_of(bench, server, load);
    double before_s = runtime_of(bench, server, load);
    struct lab_dnsperf_result result = lab_dnsperf(&options);
    double used_s = runtime_of(bench, server, load) - before_s;

    sample(&out->qps, result.qps);
    sample(&out->cpu_us, 1e6 * used_s / (double)result.completed);
}

static size_t copy_query(void *arg, uint64_t i, uint8_t out[LAB_QUERY_MAX])
{
    const struct lab_query *query = arg;
    static uint8_t bytes[LAB_QUERY_MAX];
    static size_t length;

    if (i == 0) {
        length = lab_query_write(query, 0, bytes);
    }
    memcpy(out, bytes, length);
    return length;
}

static void wait_ms(long ms)
{
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0,
                          &(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000},
                          NULL);
}

// dnsperf can't keep any of these servers busy, as it takes the answers too; this can.
static void flood(const struct bench *bench, enum server server, enum load load, struct speeds *out)
{
    struct lab_server asked = server_of(bench, server, load);
    struct lab_query query = loads[load].query;
    struct lab_flood *flooding = lab_flood_start(&asked, copy_query, &query);

    LAB_WAIT(lab_flood_sent(flooding) > 10000, "the flood to begin", POP_WAIT_MS);
    uint64_t began_ns = lab_now_ns(), sent = lab_flood_sent(flooding);
    uint64_t before = datagrams_out(asked.from);
    double before_s = runtime_of(bench, server, load);
    wait_ms(FLOOD_MS);
    uint64_t answered = datagrams_out(asked.from) - before - (lab_flood_sent(flooding) - sent);
    double used_s = runtime_of(bench, server, load) - before_s;
    sample(&out->flooded_cpu_us, 1e6 * used_s / (double)answered);
    sample(&out->flooded_us, (double)(lab_now_ns() - began_ns) / 1000 / (double)answered);
    lab_flood_stop(flooding);
}

// ---- Latency

#define LATENCIES_MAX 65536

struct sampler {
    struct lab_client client;
    const struct lab_query *query;
    atomic_bool end;
    double ms[LATENCIES_MAX];
    size_t count;
};

// One query at a time, beside dnsperf's.
static void *sampler_main(void *arg)
{
    struct sampler *sampler = arg;
    static uint8_t answer[DNS_MESSAGE_MAX];
    uint8_t query[LAB_QUERY_MAX];

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), -20); // it measures the server, not dnsperf
    for (uint16_t id = 0; !atomic_load(&sampler->end) && sampler->count < LATENCIES_MAX; id++) {
        size_t length = lab_query_write(sampler->query, id, query);
        uint64_t sent_ns = lab_now_ns();

        if (lab_client_send(&sampler->client, query, length) &&
            lab_client_receive(&sampler->client, LAB_DNS_MS, answer) > 0) {
            sampler->ms[sampler->count++] = (double)(lab_now_ns() - sent_ns) / NS_PER_MS;
        }
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0,
                              &(struct timespec){.tv_nsec = SAMPLE_PAUSE_US * 1000L}, NULL);
    }
    return NULL;
}

static void ask_at_half(const struct bench *bench, enum server server, enum load load,
                        unsigned max_qps, struct speeds *out)
{
    static struct sampler sampler;
    struct lab_dnsperf options = dnsperf_of(bench, server, load);
    pthread_t thread;

    options.max_qps = max_qps;
    memset(&sampler, 0, sizeof sampler);
    sampler.query = &loads[load].query;
    sampler.client = lab_client_open(&options.server);
    if (pthread_create(&thread, NULL, sampler_main, &sampler) != 0) {
        lab_fail("start a thread");
    }
    (void)lab_dnsperf(&options);
    atomic_store(&sampler.end, true);
    pthread_join(thread, NULL);
    lab_client_close(&sampler.client);
    if (sampler.count == 0) {
        lab_fail("measure how long %s takes: no answer came", server_names[server]);
    }
    qsort(sampler.ms, sampler.count, sizeof(double), compare_values);
    sample(&out->p50_ms, sampler.ms[sampler.count / 2]);
    sample(&out->p99_ms, sampler.ms[sampler.count * 99 / 100]);
}

// ---- The rows

static struct samples *better(struct samples *a, struct samples *b)
{
    qsort(a->values, a->count, sizeof(double), compare_values);
    qsort(b->values, b->count, sizeof(double), compare_values);
    return median(a) <= median(b) ? a : b;
}

// The better of Knot and NSD, and the echo, each beside popgate.
static void report_beside(const struct report *report, enum load load, const char *what,
                          const char *unit, struct samples *const of[SERVERS], double goal)
{
    char title[96], beside[SERVERS][64];
    const struct samples *best = better(of[KNOT], of[NSD]);

    snprintf(title, sizeof title, "%s: %s", loads[load].what, what);
    for (enum server i = KNOT; i < SERVERS; i++) {
        snprintf(beside[i], sizeof beside[i], "%s%s", server_names[i],
                 i == ECHO       ? ", the limit"
                 : of[i] == best ? ", the better"
                                 : "");
        report_row(report, &(struct row){.what = title,
                                         .unit = unit,
                                         .samples = of[POPGATE],
                                         .beside = beside[i],
                                         .peer = of[i],
                                         .goal = of[i] == best ? goal : 0});
    }
}

static void report_load(const struct report *report, enum load load, struct speeds of[SERVERS])
{
    const struct {
        const char *what, *unit;
        size_t offset;
        double goal;
    } rows[] = {
        {"CPU a query, dnsperf", "us", offsetof(struct speeds, cpu_us), SPEED_GOAL},
        {"CPU a query, flooded", "us", offsetof(struct speeds, flooded_cpu_us), SPEED_GOAL},
        {"time a query, flooded", "us", offsetof(struct speeds, flooded_us), 0},
        {"p50 at half load", "ms", offsetof(struct speeds, p50_ms), 0},
        {"p99 at half load", "ms", offsetof(struct speeds, p99_ms), 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct samples *samples[SERVERS];

        for (enum server j = 0; j < SERVERS; j++) {
            samples[j] = (struct samples *)((char *)&of[j] + rows[i].offset);
        }
        report_beside(report, load, rows[i].what, rows[i].unit, samples, rows[i].goal);
    }
}

static void note_qps(const struct report *report, enum load load, struct speeds of[SERVERS])
{
    char text[256];
    int used =
        snprintf(text, sizeof text, "%s: dnsperf got, in queries a second:", loads[load].what);

    for (enum server i = 0; i < SERVERS; i++) {
        qsort(of[i].qps.values, of[i].qps.count, sizeof(double), compare_values);
        used += snprintf(text + used, sizeof text - (size_t)used, " %s %.0f%s", server_names[i],
                         median(&of[i].qps), i + 1 < SERVERS ? "," : "");
    }
    report_note(report, text);
}

static void race(struct bench *bench, const struct report *report, enum load load)
{
    static struct speeds of[SERVERS];

    memset(of, 0, sizeof of);
    for (int round = 0; round < ROUNDS; round++) {
        for (enum server i = 0; i < SERVERS; i++) {
            ask_with_dnsperf(bench, i, load, &of[i]);
            flood(bench, i, load, &of[i]);
        }
        // The same load for each: half of what the better of Knot and NSD answered.
        double knot = of[KNOT].qps.values[round], nsd = of[NSD].qps.values[round];
        for (enum server i = 0; i < SERVERS; i++) {
            ask_at_half(bench, i, load, (unsigned)((knot > nsd ? knot : nsd) / 2), &of[i]);
        }
    }
    note_qps(report, load, of);
    report_load(report, load, of);
}

static void note_sizes(const struct bench *bench, const struct report *report)
{
    char text[256];

    for (enum load i = 0; i < LOADS; i++) {
        snprintf(text, sizeof text, "%s: answers of %zu bytes; Knot's have %zu, NSD's %zu",
                 loads[i].what, answer_size(bench, POPGATE, i), answer_size(bench, KNOT, i),
                 answer_size(bench, NSD, i));
        report_note(report, text);
    }
}

static void race_all(const struct report *report)
{
    struct bench bench = {0};

    run_on(SERVER_CPU);
    start_popgate(&bench);
    (void)setpriority(PRIO_PROCESS, 0, WORKER_NICE); // as the responder's own threads
    start_others(&bench);
    start_echoes(&bench);
    (void)setpriority(PRIO_PROCESS, 0, 0);
    run_on(CLIENT_CPU);
    note_sizes(&bench, report);
    for (enum load i = 0; i < LOADS; i++) {
        race(&bench, report, i);
    }
    lab_clear();
    run_anywhere();
}

// ---- Withdrawal

static void try_kill(const struct pop *pop, struct samples *out)
{
    POP_WAIT_ANNOUNCED(pop);
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    wait_ms(random() % SETTLE_MS);
    uint64_t killed_ns = lab_now_ns();
    lab_kill(pop->unbound);
    POP_WAIT_WITHDRAWN(pop);
    uint64_t v4_ns = tap_withdrawn_at_ns(pop->tap, POP_V4);
    uint64_t v6_ns = tap_withdrawn_at_ns(pop->tap, POP_V6);
    sample_ns(out, killed_ns, v4_ns > v6_ns ? v4_ns : v6_ns);
    lab_unbound_restart(pop->unbound);
}

static void withdraw_under_flood(const struct report *report)
{
    struct samples calm = {0}, flooded = {0};
    struct pop pop = pop_make(&(struct pop_options){0});
    struct lab_query query = loads[IDENTITY].query;
    struct lab_server responder = {.from = pop.upstream, .address = ID_ADDRESS};

    lab_address_add(pop.node, ID_ADDRESS "/32");
    lab_ip(pop.upstream, "route add " ID_ADDRESS " via 10.0.1.1");
    pop_run(&pop, "[responder]\nlisten = " ID_ADDRESS ":53\nrate_limit = 0\n" POP_PROBES POP_SERVICE
                  "hold_down = 0ms\n");
    for (int i = 0; i < TRIES; i++) {
        try_kill(&pop, &calm);
        struct lab_flood *flooding = lab_flood_start(&responder, copy_query, &query);
        try_kill(&pop, &flooded);
        lab_flood_stop(flooding);
    }
    report_row(report, &(struct row){.what = "killed to withdrawal, responder flooded",
                                     .samples = &flooded,
                                     .beside = "not flooded",
                                     .peer = &calm,
                                     .goal = 2});
    lab_clear();
}

// ---- All of it

static void explain(const struct report *report)
{
    report_note(report,
                "one worker each, no rate limit, all at the priority of the responder's threads; "
                "servers on the first core, clients on the second");
    report_note(report, "ratios are of times a query: 0.83 is 1.2 times as many queries");
    report_note(report,
                "CPU a query: CPU time of all of the server's threads, with the kernel's work for "
                "them, by the answers sent. It holds on a busy machine too, the others need a "
                "quiet one");
    report_note(report,
                "dnsperf has a core's worth of work of its own before any of these servers is "
                "busy. Flooded is what gets more queries than it can read, by sendmmsg, while "
                "nobody reads the answers");
    report_note(report,
                "at half load: dnsperf asks at half the rate that the better of Knot and NSD "
                "had, the same for all; measured by one more client, a query at a time");
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--echo") == 0) {
        echo_main((uint16_t)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    }
    const char *json_path = json_path_of(argc, argv);

    lab_init();
    struct lab_node *node = lab_node("versions");
    struct report report = report_begin("The responder, beside Knot DNS and NSD", json_path, node);
    explain(&report);
    race_all(&report);
    withdraw_under_flood(&report);
    report_end(&report);
    return 0;
}
