// From the end of a service to the withdrawal at the neighbour, for every kind of server that a PoP
// has; and what a thousand probes a second cost.
//
// Killed: with SIGKILL, all settings at their defaults, beside `disable` typed by hand on BIRD's
// control socket, which is the limit. Hung: with SIGSTOP, found by polling. Loaded: what popgated
// uses, and how long a withdrawal takes then; and how long probes of one type keep the loop from
// all else at most.
#include "tests/bench/cost.h"
#include "tests/bench/operator.h"
#include "tests/bench/report.h"
#include "tests/lab/glewlwyd.h"
#include "tests/lab/pki.h"
#include "tests/lab/pop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#define CRASHES   20
#define HANGS     10
#define PAUSE_MS  300 // at most, before a service ends
#define SERVED_MS 10  // for a server to have accepted its client
#define BY_HAND   "disable \"popgate_dns_v4\"\n"
#define DNS_ALONE "\"services\":[\"dns\"]"

#define CRASH_GOAL_MS   5
#define CRASH_GOAL      10 // times the limit
#define HANG_GOAL_MS    450
#define CPU_GOAL        10 // % of a core
#define MEMORY_GOAL_MIB 32
#define LOADED_GOAL     2 // times unloaded

// ---- The services

enum { DNS, DNS_TCP, WEB, ID, SERVICES };

// All on the router; each with a prefix, a process and a probe of its own.
struct service {
    const char *name, *prefix;
    const char *address;
    uint16_t port;             // of TCP
    const char *killed, *hung; // its rows
    struct lab_process *process;
    struct samples gone;        // from the signal till a client sees its connection end
    struct samples crash, hang; // till the withdrawal
};

#define WEB_TARGET "192.0.2.80:443"
#define WEB_NAME   "web.example.net"
#define ID_URL     "http://192.0.2.90:4593/api/oidc"

static struct service services[SERVICES] = {
    [DNS] = {.name = "dns",
             .address = "192.0.2.53",
             .port = 53,
             .prefix = POP_V4,
             .killed = "killed to withdrawal: unbound, dns over UDP",
             .hung = "hung to withdrawal: unbound, dns over UDP"},
    [DNS_TCP] = {.name = "tcp",
                 .address = "192.0.2.54",
                 .port = 53,
                 .prefix = "192.0.2.54/32",
                 .killed = "killed to withdrawal: Knot, dns over TCP",
                 .hung = "hung to withdrawal: Knot, dns over TCP"},
    [WEB] = {.name = "web",
             .address = "192.0.2.80",
             .port = 443,
             .prefix = "192.0.2.80/32",
             .killed = "killed to withdrawal: nginx, tls",
             .hung = "hung to withdrawal: nginx, tls"},
    [ID] = {.name = "id",
            .address = "192.0.2.90",
            .port = 4593,
            .prefix = "192.0.2.90/32",
            .killed = "killed to withdrawal: Glewlwyd, token",
            .hung = "hung to withdrawal: Glewlwyd, token"},
};

static struct lab_process *start_web(struct lab_node *node)
{
    char http[1024];
    struct lab_cert *ca = lab_cert(&(struct lab_cert_options){.name = "CA", .authority = true});
    struct lab_cert *leaf = lab_cert(
        &(struct lab_cert_options){.name = WEB_NAME, .names = "DNS:" WEB_NAME, .issuer = ca});

    lab_cert_write(node, "ca.pem", LAB_CERTS(ca));
    lab_cert_write(node, "web.pem", LAB_CERTS(leaf));
    lab_cert_write_key(node, "web.key", leaf);
    snprintf(http, sizeof http,
             "server { listen " WEB_TARGET " ssl; ssl_certificate %s/web.pem;"
             " ssl_certificate_key %s/web.key; }\n",
             lab_dir(node), lab_dir(node));
    return lab_nginx_start(node, http);
}

static struct lab_process *start_id(struct lab_node *node)
{
    char path[LAB_PATH_MAX];
    json_t *key = mint_key("ES256", "one");
    struct lab_glewlwyd *glewlwyd = lab_glewlwyd_start(node, 4593, key, LAB_REGION);

    json_decref(key);
    lab_write(node, "secret", LAB_GLEWLWYD_SECRET);
    if (chmod(lab_path(node, "secret", path), 0600) != 0) {
        lab_fail("chmod %s: %s", path, strerror(errno));
    }
    return lab_glewlwyd_process(glewlwyd);
}

// A real PoP's probes have many targets. With one, the kernel would soon look long for a port that
// no connection of the last minute (TIME_WAIT) had.
#define LOAD_TCP         "198.51.100.%u"
#define LOAD_TCP_TARGETS 20

static struct lab_process *start_knot(struct lab_node *node)
{
    char listen[LOAD_TCP_TARGETS * 16 + 16] = "192.0.2.54";
    size_t length = strlen(listen);

    for (unsigned i = 1; i <= LOAD_TCP_TARGETS; i++) {
        char address[32];

        snprintf(address, sizeof address, LOAD_TCP, i);
        lab_address_add(node, address);
        length += (size_t)snprintf(listen + length, sizeof listen - length, " %s", address);
    }
    return lab_knot_start(node, &(struct lab_authority){.listen = listen,
                                                        .zone = "example.net",
                                                        .records = "www A 192.0.2.80"});
}

static struct pop make_pop(void)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    for (size_t i = DNS_TCP; i < SERVICES; i++) {
        lab_address_add(pop.node, services[i].prefix);
    }
    services[DNS].process = pop.unbound;
    services[DNS_TCP].process = start_knot(pop.node);
    services[WEB].process = start_web(pop.node);
    services[ID].process = start_id(pop.node);
    return pop;
}

// ---- Configuration

// Without a hold-down, so that a service that is back is announced again soon.
#define AGAIN_AT_ONCE "[defaults]\nhold_down = 0ms\n"
#define HANG_TIMES    "interval = 100ms\nfast_interval = 100ms\ntimeout = 100ms\nfall = 3\n"
#define ID_SERVER     "qname = id.server\nclass = CH\nqtype = TXT\n"

#define ID_KEYS                                                                                    \
    "type = token\ntoken_url = " ID_URL "/token\njwks_url = " ID_URL "/jwks\n"                     \
    "target = 192.0.2.90:4593\nclient_id = " LAB_GLEWLWYD_CLIENT                                   \
    "\nsecret_file = %s/secret\nscope = probe\n"                                                   \
    "issuer = " LAB_GLEWLWYD_ISSUER "\naudience = probe\nclaims = region={pop.region}\n"

static void write_probes(FILE *out, const char *dir)
{
    fprintf(out,
            "[probe dns]\ntype = dns\ntarget = 192.0.2.53:53\n" ID_SERVER
            "[probe tcp]\ntype = dns\nprotocol = tcp\ntarget = 192.0.2.54:53\n" ID_SERVER
            "[probe web]\ntype = tls\ntarget = " WEB_TARGET "\nserver_name = " WEB_NAME
            "\nca = %s/ca.pem\n"
            "[probe id]\n" ID_KEYS,
            dir, dir);
}

static void write_services(FILE *out)
{
    for (size_t i = 0; i < SERVICES; i++) {
        fprintf(out, "[service %s]\nprefixes = %s\nrequire = %s\nlast_pop_guard = off\n",
                services[i].name, services[i].prefix, services[i].name);
    }
}

// Probes besides the services' own, every second; that no service needs them is worth a warning to
// popgated, no more.
struct load {
    unsigned dns, tcp, tls, http, token, exec, address;
};

static void write_load(FILE *out, const struct load *load, const char *dir)
{
    for (unsigned i = 0; i < load->dns; i++) {
        fprintf(out, "[probe load-dns%u]\ntype = dns\ntarget = 192.0.2.53:53\n" ID_SERVER, i);
    }
    for (unsigned i = 0; i < load->tcp; i++) {
        fprintf(out, "[probe load-tcp%u]\ntype = tcp\ntarget = " LOAD_TCP ":53\n", i,
                1 + i % LOAD_TCP_TARGETS);
    }
    for (unsigned i = 0; i < load->tls; i++) {
        fprintf(out,
                "[probe load-tls%u]\ntype = tls\ntarget = " WEB_TARGET "\nserver_name = " WEB_NAME
                "\nca = %s/ca.pem\n",
                i, dir);
    }
    for (unsigned i = 0; i < load->http; i++) {
        fprintf(out,
                "[probe load-http%u]\ntype = http\ntarget = " WEB_TARGET "\nurl = https://" WEB_NAME
                "/\nca = %s/ca.pem\nstatus = 200-499\nbody_regex = [a-z]+/[0-9.]+\n",
                i, dir);
    }
    for (unsigned i = 0; i < load->token; i++) {
        fprintf(out, "[probe load-token%u]\n" ID_KEYS, i, dir);
    }
    for (unsigned i = 0; i < load->exec; i++) {
        fprintf(out, "[probe load-exec%u]\ntype = exec\ncommand = /bin/true\n", i);
    }
    for (unsigned i = 0; i < load->address; i++) {
        fprintf(out, "[probe load-address%u]\ntype = address\naddresses = 192.0.2.53\n", i);
    }
}

// The caller frees it.
static char *make_config(const struct pop *pop, const char *times, const struct load *load)
{
    char head[LAB_CONFIG_MAX];
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    fputs(lab_popgated_config(pop->node, pop->bird, POP_AS, AGAIN_AT_ONCE, head), out);
    fputs(times, out);
    write_probes(out, lab_dir(pop->node));
    write_services(out);
    write_load(out, load, lab_dir(pop->node));
    fclose(out);
    return text;
}

static void run(struct pop *pop, const char *times)
{
    char *config = make_config(pop, times, &(struct load){0});

    pop->popgated = lab_popgated_start(pop->node, config);
    free(config);
}

static void reload(const struct pop *pop, const char *times, const struct load *load)
{
    char *config = make_config(pop, times, load);

    lab_popgated_reload(pop->popgated, config);
    free(config);
}

// ---- The end of a service

static void wait_till_announced(const struct pop *pop, const struct service *service)
{
    char seen[64];

    snprintf(seen, sizeof seen, "services %s seen", service->name);
    LAB_WAIT(tap_has(pop->tap, service->prefix) && pop_says(pop, seen, "true"),
             "the service to be announced", POP_WAIT_MS);
}

static void wait_till_all_announced(const struct pop *pop)
{
    for (size_t i = 0; i < SERVICES; i++) {
        wait_till_announced(pop, &services[i]);
    }
}

static uint64_t wait_for_withdrawal(const struct pop *pop, const struct service *service,
                                    uint64_t since_ns)
{
    LAB_WAIT(tap_withdrawn_at_ns(pop->tap, service->prefix) > since_ns, "the withdrawal",
             POP_WAIT_MS);
    return tap_withdrawn_at_ns(pop->tap, service->prefix);
}

static void sleep_ms(uint64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

// What happens to a service comes at no particular moment of a probe's interval, and out of the
// blue. Right after another try the caches still hold all that a withdrawal needs, which makes it
// several times faster than it is in earnest: what is judged has rested, by hand too, and what was
// measured back to back is shown beside it.
static void wait_a_while(void)
{
    sleep_ms((uint64_t)random() % PAUSE_MS);
}

// The workers of a server too, which live on without their master. Returns when it began.
static uint64_t signal_all(const struct service *service, int signal)
{
    pid_t family[LAB_FAMILY_MAX];
    size_t count = lab_family(service->process, family);
    uint64_t ns = lab_now_ns();

    for (size_t i = 0; i < count; i++) {
        kill(family[i], signal);
    }
    return ns;
}

// A client of the service, as popgated's crash watch is one.
static int connect_to(const struct pop *pop, const struct service *service)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(service->port)};
    int fd = lab_socket(pop->node, AF_INET, SOCK_STREAM);

    (void)inet_pton(AF_INET, service->address, &address.sin_addr);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        lab_fail("connect to %s: %s", service->address, strerror(errno));
    }
    return fd;
}

static void sample_gone(struct service *service, int client, uint64_t killed_ns)
{
    struct pollfd end = {.fd = client, .events = POLLIN};

    if (poll(&end, 1, POP_WAIT_MS) != 1) {
        lab_fail("see the connection to %s end", service->address);
    }
    sample_ns(&service->gone, killed_ns, lab_now_ns());
    close(client);
}

static void try_kill(const struct pop *pop, struct service *service)
{
    wait_a_while();
    int client = connect_to(pop, service);
    sleep_ms(SERVED_MS);
    uint64_t killed_ns = signal_all(service, SIGKILL);
    sample_gone(service, client, killed_ns);
    sample_ns(&service->crash, killed_ns, wait_for_withdrawal(pop, service, killed_ns));
    lab_kill(service->process); // takes note of its end
    lab_respawn(service->process);
    wait_till_announced(pop, service);
}

static void try_by_hand(const struct pop *pop, int hand, bool rest, struct samples *by_hand)
{
    struct lab_process *popgated = lab_popgated_process(pop->popgated);

    lab_stop(popgated);
    if (rest) {
        wait_a_while();
    }
    uint64_t typed_ns = hand_type(hand, BY_HAND);
    sample_ns(by_hand, typed_ns, wait_for_withdrawal(pop, &services[DNS], typed_ns));
    hand_read_reply(hand);
    lab_cont(popgated);
    wait_till_announced(pop, &services[DNS]);
}

static void measure_crashes(const struct pop *pop, struct samples *by_hand,
                            struct samples *back_to_back)
{
    int hand = hand_open(pop->bird);

    wait_till_all_announced(pop);
    for (int i = 0; i < CRASHES; i++) {
        for (size_t s = 0; s < SERVICES; s++) {
            try_kill(pop, &services[s]);
        }
        try_by_hand(pop, hand, true, by_hand);
        try_by_hand(pop, hand, false, back_to_back);
    }
    close(hand);
}

static void measure_hangs(const struct pop *pop)
{
    uint64_t stopped_ns[SERVICES];

    for (int i = 0; i < HANGS; i++) {
        wait_till_all_announced(pop);
        wait_a_while();
        for (size_t s = 0; s < SERVICES; s++) {
            stopped_ns[s] = signal_all(&services[s], SIGSTOP);
        }
        for (size_t s = 0; s < SERVICES; s++) {
            sample_ns(&services[s].hang, stopped_ns[s],
                      wait_for_withdrawal(pop, &services[s], stopped_ns[s]));
        }
        for (size_t s = 0; s < SERVICES; s++) {
            signal_all(&services[s], SIGCONT);
        }
    }
}

// The least that a crash can take: nobody learns of it before the kernel ends the connections of
// the dead process, and BIRD needs its time to withdraw.
static struct samples crash_limit(const struct service *service, const struct samples *by_hand)
{
    struct samples limit = {0};

    for (size_t i = 0; i < service->gone.count; i++) {
        sample(&limit, service->gone.values[i] + median(by_hand));
    }
    return limit;
}

static void report_crashes(const struct report *report, struct samples *by_hand,
                           struct samples *back_to_back)
{
    report_row(report, &(struct row){.what = "disable by hand, after a rest",
                                     .samples = by_hand,
                                     .beside = "the same, back to back",
                                     .peer = back_to_back});
    for (size_t i = 0; i < SERVICES; i++) {
        report_row(report, &(struct row){.what = services[i].killed,
                                         .samples = &services[i].crash,
                                         .goal = CRASH_GOAL_MS});
        report_row(report, &(struct row){.what = services[i].killed,
                                         .samples = &services[i].crash,
                                         .beside = "disable by hand",
                                         .peer = by_hand,
                                         .goal = CRASH_GOAL});
        struct samples limit = crash_limit(&services[i], by_hand);
        report_row(report, &(struct row){.what = services[i].killed,
                                         .samples = &services[i].crash,
                                         .beside = "the limit of a crash",
                                         .peer = &limit});
    }
    report_note(report, "the limit of a crash: till the kernel has ended a client's connection to "
                        "the killed process, seen in the same try, plus `disable` by hand");
}

// The goal is for the worst of them.
static void report_hangs(const struct report *report)
{
    for (size_t i = 0; i < SERVICES; i++) {
        char what[64];

        report_row(report, &(struct row){.what = services[i].hung, .samples = &services[i].hang});
        snprintf(what, sizeof what, "%s, worst", services[i].hung);
        report_value(report, what, NULL, quantile(&services[i].hang, 1), HANG_GOAL_MS);
    }
}

// ---- Load

#define ROUNDS   3
#define TRIES    20 // withdrawals, in each round
#define WINDOW_S 5  // for CPU time, in each round
#define SETTLE_S 1

enum { NO_LOAD, MIXED, HANDSHAKES, LOADS };

static const struct load loads[LOADS] = {
    [MIXED] = {.dns = 500, .tcp = 500},
    [HANDSHAKES] = {.tls = 100},
};

struct measured {
    struct samples decided, back_to_back; // decision to wire
    struct samples cpu_percent, checks_per_s;
    double memory_mib; // at most, when it was first measured
};

struct tally {
    size_t probes, up, passes;
};

static struct tally tally_of(const struct pop *pop)
{
    struct tally tally = {0};
    size_t i;
    json_t *probe;
    json_t *status = api_ask(pop->node, "GET", "/v1/status?full=1", "", NULL);

    json_array_foreach(json_object_get(status, "probes"), i, probe)
    {
        const char *health = json_string_value(json_object_get(probe, "health"));

        tally.probes++;
        tally.up += health != NULL && strcmp(health, "up") == 0;
        tally.passes +=
            (size_t)json_integer_value(json_object_get(json_object_get(probe, "verdicts"), "pass"));
    }
    json_decref(status);
    return tally;
}

static bool has_settled(const struct pop *pop, size_t probes)
{
    struct tally tally = tally_of(pop);

    return tally.probes == probes && tally.up == probes;
}

// The checks are counted, by their verdicts: without them the CPU time would mean nothing.
static void measure_cost(const struct pop *pop, struct measured *measured)
{
    pid_t pid = lab_pid(lab_popgated_process(pop->popgated));
    size_t passes = tally_of(pop).passes;
    double before_s = cost_cpu_s(pid);
    uint64_t begin_ns = lab_now_ns();

    sleep_ms(WINDOW_S * UINT64_C(1000));
    double elapsed_s = (double)(lab_now_ns() - begin_ns) / (NS_PER_MS * 1000);
    sample(&measured->cpu_percent, 100 * (cost_cpu_s(pid) - before_s) / elapsed_s);
    sample(&measured->checks_per_s, (double)(tally_of(pop).passes - passes) / elapsed_s);
    if (measured->memory_mib == 0) {
        measured->memory_mib = cost_memory_mib(pid, "VmHWM:");
    }
}

static void try_isolate(const struct pop *pop, bool rest, struct samples *decided)
{
    const json_int_t mark = api_next_event(pop->node);

    if (rest) {
        wait_a_while();
    }
    uint64_t requested_ns = api_change(pop->node, "isolate", DNS_ALONE);
    uint64_t wire_ns = wait_for_withdrawal(pop, &services[DNS], requested_ns);

    sample_ns(decided, api_decided_ns(pop->node, mark), wire_ns);
    api_change(pop->node, "release", DNS_ALONE);
    wait_till_announced(pop, &services[DNS]);
}

static void measure_under(const struct pop *pop, const struct load *load, struct measured *measured)
{
    reload(pop, "", load);
    LAB_WAIT(has_settled(pop, SERVICES + load->dns + load->tcp + load->tls),
             "every probe to be up, and no other to be there", POP_WAIT_MS);
    sleep_ms(SETTLE_S * UINT64_C(1000));
    measure_cost(pop, measured);
    for (int i = 0; i < TRIES; i++) {
        try_isolate(pop, true, &measured->decided);
        try_isolate(pop, false, &measured->back_to_back);
    }
}

static void report_loads(const struct report *report, struct measured measured[LOADS])
{
    report_row(report, &(struct row){.what = "1,000 dns and tcp probes: checks that passed",
                                     .unit = "checks/s",
                                     .samples = &measured[MIXED].checks_per_s});
    report_row(report, &(struct row){.what = "1,000 dns and tcp probes: CPU of popgated",
                                     .unit = "% of a core",
                                     .samples = &measured[MIXED].cpu_percent,
                                     .goal = CPU_GOAL});
    report_value(report, "1,000 dns and tcp probes: memory (VmHWM)", "MiB",
                 measured[MIXED].memory_mib, MEMORY_GOAL_MIB);
    report_row(report, &(struct row){.what = "100 TLS handshakes a second: checks that passed",
                                     .unit = "checks/s",
                                     .samples = &measured[HANDSHAKES].checks_per_s});
    report_row(report, &(struct row){.what = "100 TLS handshakes a second: CPU of popgated",
                                     .unit = "% of a core",
                                     .samples = &measured[HANDSHAKES].cpu_percent});
    report_row(report, &(struct row){.what = "the services' own 4 probes: CPU of popgated",
                                     .unit = "% of a core",
                                     .samples = &measured[NO_LOAD].cpu_percent});
    report_row(report, &(struct row){.what = "decision to wire, 1,000 dns and tcp probes",
                                     .samples = &measured[MIXED].decided,
                                     .beside = "the same, 4 probes",
                                     .peer = &measured[NO_LOAD].decided,
                                     .goal = LOADED_GOAL});
    report_row(report, &(struct row){.what = "decision to wire, 100 TLS handshakes a second",
                                     .samples = &measured[HANDSHAKES].decided,
                                     .beside = "the same, 4 probes",
                                     .peer = &measured[NO_LOAD].decided,
                                     .goal = LOADED_GOAL});
    report_row(report, &(struct row){.what = "1,000 dns and tcp probes, back to back",
                                     .samples = &measured[MIXED].back_to_back,
                                     .beside = "the same, 4 probes",
                                     .peer = &measured[NO_LOAD].back_to_back});
    report_row(report, &(struct row){.what = "100 TLS handshakes a second, back to back",
                                     .samples = &measured[HANDSHAKES].back_to_back,
                                     .beside = "the same, 4 probes",
                                     .peer = &measured[NO_LOAD].back_to_back});
}

// ---- The longest turn of the loop

#define TURN_WINDOW_S                                                                              \
    12 // more than the ten seconds that status looks back, so that no reload counts

static struct turn {
    const char *what;
    struct load load;
    struct samples longest;
} turns[] = {
    {.what = "longest turn of the loop: the services' own 4 probes"},
    {.what = "longest turn of the loop: 50 dns probes more", .load = {.dns = 50}},
    {.what = "longest turn of the loop: 50 tcp probes more", .load = {.tcp = 50}},
    {.what = "longest turn of the loop: 50 tls probes more", .load = {.tls = 50}},
    {.what = "longest turn of the loop: 50 http probes more, with body_regex",
     .load = {.http = 50}},
    {.what = "longest turn of the loop: 10 token probes more", .load = {.token = 10}},
    {.what = "longest turn of the loop: 50 exec probes more", .load = {.exec = 50}},
    {.what = "longest turn of the loop: 50 address probes more", .load = {.address = 50}},
};

static void measure_turn(const struct pop *pop, struct turn *turn)
{
    const struct load *load = &turn->load;
    size_t more =
        load->dns + load->tcp + load->tls + load->http + load->token + load->exec + load->address;

    reload(pop, "", load);
    LAB_WAIT(has_settled(pop, SERVICES + more), "every probe to be up, and no other to be there",
             POP_WAIT_MS);
    sleep_ms(TURN_WINDOW_S * UINT64_C(1000));
    json_t *service = api_ask(pop->node, "GET", "/v1/services/dns", "", NULL);
    const json_t *us = json_object_get(json_object_get(service, "loop"), "longest_turn_in_10s_us");
    sample(&turn->longest, (double)json_integer_value(us) / 1000);
    json_decref(service);
}

static void report_turns(const struct report *report)
{
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        report_row(report, &(struct row){.what = turns[i].what, .samples = &turns[i].longest});
    }
}

// ---- The whole

int main(int argc, char **argv)
{
    const char *json_path = json_path_of(argc, argv);
    static struct samples by_hand, back_to_back;
    static struct measured measured[LOADS];

    lab_init();
    struct pop pop = make_pop();
    struct report report =
        report_begin("Probes and the crash watch: from a service's end to the withdrawal, and cost",
                     json_path, pop.node);

    run(&pop, "");
    measure_crashes(&pop, &by_hand, &back_to_back);
    report_crashes(&report, &by_hand, &back_to_back);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < LOADS; i++) {
            measure_under(&pop, &loads[i], &measured[i]);
        }
    }
    report_loads(&report, measured);
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        measure_turn(&pop, &turns[i]);
    }
    report_turns(&report);
    reload(&pop, HANG_TIMES, &loads[NO_LOAD]);
    LAB_WAIT(has_settled(&pop, SERVICES), "every probe to be up", POP_WAIT_MS);
    measure_hangs(&pop);
    report_hangs(&report);
    report_note(&report,
                "killed: default settings (interval 1 s, fall 3, watch auto) but for "
                "hold_down = 0; hung: interval, fast_interval and timeout 100 ms, fall 3; every "
                "try after a rest of up to 300 ms, but those back to back: with hot caches, as "
                "nothing in earnest finds them");
    report_note(
        &report,
        "half of the 1,000 probes ask unbound over UDP, the others connect to "
        "Knot on 20 addresses and hold a connection each; the servers share the cores with BIRD "
        "and popgated");
    report_end(&report);
    lab_clear();
    return 0;
}
