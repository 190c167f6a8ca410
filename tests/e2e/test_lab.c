// The lab keeps its own promises: networks, routers, taps and services are what they seem, and
// nothing outlives it.
//
// This program also plays the parts of popgated, of popgate and of a lab that is killed: see
// main().
#include "tests/lab/bird.h"
#include "tests/lab/lab.h"
#include "tests/lab/popgated.h"
#include "tests/lab/service.h"
#include "tests/lab/tap.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define MARK    "LAB_TEST_PART=killed-lab"
#define SELF    "/proc/self/exe"
#define WAIT_MS 20000

// ---- A small network: a PoP's router and its upstream
// ---------------------------------------------

#define POP       "10.0.1.1"
#define UPSTREAM  "10.0.1.2"
#define POP6      "2001:db8:1::1"
#define UPSTREAM6 "2001:db8:1::2"
#define POP_AS    64512
#define UP_AS     4200000001U // takes four bytes

// Not a MED and prepends together: towards another AS, BIRD leaves the MED out of a path that is
// not empty before its own AS is added.
static const char services[] =
    "ipv4 table small;\n"
    "protocol pipe small_pipe { table small; peer table master4; import none; export all; }\n"
    "protocol static popgate_dns_v4 {\n"
    "  disabled; ipv4 { table small; preference 260; };\n"
    "  route 192.0.2.53/32 blackhole {\n"
    "    bgp_community.add((64512, 100));\n"
    "    bgp_large_community.add((64512, 7, 4200000009));\n"
    "    bgp_ext_community.add((rt, 64512, 10));\n"
    "    bgp_path.prepend(64512); bgp_path.prepend(64512);\n"
    "  };\n"
    "}\n"
    "protocol static popgate_dns_v4_drain {\n"
    "  disabled; ipv4 { table small; preference 250; };\n"
    "  route 192.0.2.53/32 blackhole { bgp_community.add((65535, 0)); };\n"
    "}\n"
    "protocol static popgate_dns_v6 {\n"
    "  disabled; ipv6; route 2001:db8::53/128 blackhole { bgp_med = 5; };\n"
    "}\n";

struct network {
    struct lab_node *pop, *upstream;
    struct lab_bird *bird;
    struct tap *tap;
};

static struct network small_network(bool passive_tap)
{
    char config[LAB_CONFIG_MAX];
    struct network net = {.pop = lab_node("pop"), .upstream = lab_node("upstream")};
    struct lab_router router = {
        .id = POP,
        .as = POP_AS,
        .neighbors = {{.name = "upstream",
                       .local = POP,
                       .remote = UPSTREAM,
                       .as = UP_AS,
                       .exports = LAB_EXPORT_MED,
                       .passive = !passive_tap}},
        .extra = services,
    };

    lab_link(net.pop, POP "/24 " POP6 "/64", net.upstream, UPSTREAM "/24 " UPSTREAM6 "/64");
    net.bird = lab_bird_start(net.pop, lab_router_config(net.pop, &router, config));
    net.tap = tap_start(net.upstream, &(struct tap_options){
                                          .local = UPSTREAM,
                                          .peer = POP,
                                          .other = UPSTREAM6,
                                          .as = UP_AS,
                                          .router_as = POP_AS,
                                          .passive = passive_tap,
                                      });
    LAB_WAIT(tap_established(net.tap), "the BGP session", WAIT_MS);
    return net;
}

// ---- Nodes and processes
// --------------------------------------------------------------------------

LAB_TEST(the_host_and_its_network_are_out_of_sight)
{
    char output[4096];

    struct lab_node *node = lab_node("alone");
    assert_int_equal(lab_run(node, LAB_ARGV("ip", "-o", "link"), output, sizeof output), 0);
    assert_ptr_equal(strchr(output, '\n'), strrchr(output, '\n'));
    assert_non_null(strstr(output, "lo:"));
    assert_int_equal(access("/run/systemd", F_OK), -1);
}

static int connect_to(struct lab_node *node, const char *address, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = lab_socket(node, AF_INET, SOCK_STREAM);

    inet_pton(AF_INET, address, &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -errno;
    }
    return fd;
}

static ssize_t read_text(int fd, char *text, size_t size)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&readable, 1, WAIT_MS), 1);
    ssize_t got = recv(fd, text, size - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return got;
}

LAB_TEST(a_tcp_server_behaves_as_it_is_told)
{
    char text[64];
    struct lab_node *a = lab_node("a"), *b = lab_node("b");

    lab_link(a, "10.0.0.1/24", b, "10.0.0.2/24");
    struct lab_tcp_server *server = lab_tcp_server_start(b, "10.0.0.2", 80, LAB_TCP_GREET, "hello");

    int held = connect_to(a, "10.0.0.2", 80);
    assert_true(held >= 0);
    assert_int_equal(read_text(held, text, sizeof text), 5);
    assert_string_equal(text, "hello");

    lab_tcp_server_set(server, LAB_TCP_ECHO);
    int echo = connect_to(a, "10.0.0.2", 80);
    assert_int_equal(send(echo, "again", 5, MSG_NOSIGNAL), 5);
    assert_int_equal(read_text(echo, text, sizeof text), 5);
    assert_string_equal(text, "again");
    close(echo);

    lab_tcp_server_set(server, LAB_TCP_RESET);
    int reset = connect_to(a, "10.0.0.2", 80);
    assert_true(reset < 0 || read_text(reset, text, sizeof text) < 0);
    if (reset >= 0) {
        close(reset);
    }
    LAB_WAIT(lab_tcp_server_accepted(server) == 3, "three connections", WAIT_MS);

    lab_tcp_server_crash(server);
    assert_int_equal(read_text(held, text, sizeof text), 0);
    assert_int_equal(connect_to(a, "10.0.0.2", 80), -ECONNREFUSED);
    lab_tcp_server_recover(server);
    int later = connect_to(a, "10.0.0.2", 80);
    assert_true(later >= 0);
    close(later);
    close(held);
}

static size_t shout(void *arg, const uint8_t *query, size_t length, uint8_t *answer, size_t size)
{
    (void)arg;
    assert_true(length < size);
    memcpy(answer, query, length);
    answer[length] = '!';
    return length + 1;
}

LAB_TEST(a_udp_server_answers_over_ipv6)
{
    char text[16];
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(5353)};
    struct lab_node *a = lab_node("a"), *b = lab_node("b");

    lab_link(a, "2001:db8::1/64", b, "2001:db8::2/64");
    lab_udp_server_start(b, "2001:db8::2", 5353, shout, NULL);
    inet_pton(AF_INET6, "2001:db8::2", &to.sin6_addr);
    int fd = lab_socket(a, AF_INET6, SOCK_DGRAM);
    assert_int_equal(sendto(fd, "hey", 3, 0, (struct sockaddr *)&to, sizeof to), 3);
    assert_int_equal(read_text(fd, text, sizeof text), 4);
    assert_string_equal(text, "hey!");
    close(fd);
}

LAB_TEST(a_process_can_be_stopped_continued_killed_and_started_again)
{
    struct lab_node *node = lab_node("host");
    struct lab_command command = {.name = "cat", .argv = LAB_ARGV("cat", "/dev/zero")};

    struct lab_process *process = lab_spawn(node, &command);
    lab_stop(process);
    assert_true(lab_running(process));
    lab_cont(process);
    lab_kill(process);
    assert_false(lab_running(process));
    assert_int_equal(lab_wait_exit(process, WAIT_MS), 128 + SIGKILL);
    lab_respawn(process);
    assert_true(lab_running(process));
}

LAB_TEST(a_log_is_that_of_the_last_run)
{
    char path[LAB_PATH_MAX];
    struct lab_node *node = lab_node("host");
    struct lab_command command = {
        .name = "ls",
        .argv = LAB_ARGV("ls", lab_path(node, "file", path)),
        .environment = LAB_ARGV("LC_ALL=C"),
    };

    struct lab_process *process = lab_spawn(node, &command);
    assert_int_equal(lab_wait_exit(process, WAIT_MS), 2);
    assert_true(lab_log_contains(process, "No such file"));
    lab_write(node, "file", "");
    lab_respawn(process);
    assert_int_equal(lab_wait_exit(process, WAIT_MS), 0);
    assert_false(lab_log_contains(process, "No such file"));
}

LAB_TEST(a_process_can_run_as_another_user)
{
    struct lab_node *node = lab_node("host");
    struct lab_command command = {.name = "id", .argv = LAB_ARGV("id", "-u"), .user = LAB_NOBODY};

    if (!lab_has_users()) {
        skip();
    }
    struct lab_process *process = lab_spawn(node, &command);
    assert_int_equal(lab_wait_exit(process, WAIT_MS), 0);
    assert_true(lab_log_contains(process, "65534"));
}

// ---- BIRD and the tap
// -----------------------------------------------------------------------------

LAB_TEST(a_tap_sees_a_route_with_its_path_and_communities)
{
    struct network net = small_network(false);

    uint64_t before_ns = lab_now_ns();
    assert_non_null(strstr(lab_birdc(net.bird, "enable popgate_dns_v4"), "0011-popgate_dns_v4"));
    LAB_WAIT(tap_has(net.tap, "192.0.2.53/32"), "the prefix", WAIT_MS);

    const struct bgp_attributes *route = tap_route(net.tap, "192.0.2.53/32");
    assert_non_null(route);
    assert_int_equal(route->as_path_length, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(route->as_path[i], POP_AS);
    }
    assert_true(tap_has_community(net.tap, "192.0.2.53/32", 64512, 100));
    assert_false(tap_has_community(net.tap, "192.0.2.53/32", 64512, 101));
    assert_int_equal(route->large_community_count, 1);
    assert_int_equal(route->large_communities[0][2], 4200000009U);
    assert_int_equal(route->ext_community_count, 1);
    assert_true(route->ext_communities[0] == UINT64_C(0x0002fc000000000a)); // RFC 4360, section 4
    assert_false(route->has_med);
    assert_false(route->has_local_pref);
    assert_memory_equal(route->next_hop, ((const uint8_t[]){10, 0, 1, 1}), 4);
    assert_true(tap_announced_at_ns(net.tap, "192.0.2.53/32") > before_ns);
    assert_true(tap_announced_at_ns(net.tap, "192.0.2.53/32") <= lab_now_ns());
}

LAB_TEST(a_tap_sees_ipv6_its_med_and_a_withdrawal)
{
    struct network net = small_network(false);
    struct tap_event events[4];

    lab_birdc(net.bird, "enable popgate_dns_v6");
    LAB_WAIT(tap_has(net.tap, "2001:db8::53/128"), "the prefix", WAIT_MS);
    assert_true(tap_route(net.tap, "2001:db8::53/128")->has_med);
    assert_int_equal(tap_route(net.tap, "2001:db8::53/128")->med, 5);
    size_t mark = tap_event_count(net.tap);

    lab_birdc(net.bird, "disable popgate_dns_v6");
    LAB_WAIT(!tap_has(net.tap, "2001:db8::53/128"), "the withdrawal", WAIT_MS);
    assert_null(tap_route(net.tap, "2001:db8::53/128"));
    assert_int_equal(tap_events(net.tap, mark, "2001:db8::53/128", events, 4), 1);
    assert_int_equal(events[0].kind, TAP_WITHDRAWN);
    assert_true(events[0].ns == tap_withdrawn_at_ns(net.tap, "2001:db8::53/128"));
    assert_true(events[0].ns > tap_announced_at_ns(net.tap, "2001:db8::53/128"));
}

LAB_TEST(a_drain_by_a_twin_is_seen_as_one_announcement)
{
    struct network net = small_network(true);
    struct tap_event events[4];

    lab_birdc(net.bird, "enable popgate_dns_v4");
    LAB_WAIT(tap_has(net.tap, "192.0.2.53/32"), "the prefix", WAIT_MS);
    lab_barrier(net.bird, net.tap);
    size_t mark = tap_event_count(net.tap);

    lab_birdc(net.bird, "enable popgate_dns_v4_drain");
    lab_barrier(net.bird, net.tap);
    assert_int_equal(tap_events(net.tap, mark, "192.0.2.53/32", NULL, 0), 0);

    lab_birdc(net.bird, "disable popgate_dns_v4");
    lab_barrier(net.bird, net.tap);
    assert_int_equal(tap_events(net.tap, mark, "192.0.2.53/32", events, 4), 1);
    assert_int_equal(events[0].kind, TAP_ANNOUNCED);
    assert_true(tap_has_community(net.tap, "192.0.2.53/32", 65535, 0));
}

LAB_TEST(a_dropped_session_loses_its_routes_and_comes_back)
{
    struct network net = small_network(false);

    lab_birdc(net.bird, "enable popgate_dns_v4");
    LAB_WAIT(tap_has(net.tap, "192.0.2.53/32"), "the prefix", WAIT_MS);
    tap_drop_session(net.tap);
    assert_false(tap_has(net.tap, "192.0.2.53/32"));
    assert_true(tap_withdrawn_at_ns(net.tap, "192.0.2.53/32") > 0);
    LAB_WAIT(!lab_bird_established(net.bird, "upstream"), "BIRD to notice", WAIT_MS);
    tap_reconnect(net.tap);
    LAB_WAIT(tap_has(net.tap, "192.0.2.53/32"), "the prefix again", WAIT_MS);
    assert_true(lab_bird_established(net.bird, "upstream"));
}

LAB_TEST(a_killed_bird_is_lost_and_its_successor_is_found)
{
    struct network net = small_network(false);

    lab_bird_kill(net.bird);
    LAB_WAIT(!tap_established(net.tap), "the end of the session", WAIT_MS);
    lab_bird_restart(net.bird);
    LAB_WAIT(tap_established(net.tap), "the session again", WAIT_MS);
}

LAB_TEST(two_birds_pass_a_route_on_to_a_tap)
{
    char config[LAB_CONFIG_MAX];
    struct lab_node *pop = lab_node("pop"), *transit = lab_node("transit"),
                    *world = lab_node("world");
    struct lab_router pop_router = {
        .id = "10.0.1.1",
        .as = 64512,
        .neighbors = {{.name = "t", .local = POP, .remote = UPSTREAM, .as = 64600}},
        .extra = services,
    };
    struct lab_router transit_router = {
        .id = "10.0.1.2",
        .as = 64600,
        .neighbors = {{.name = "pop", .local = UPSTREAM, .remote = POP, .as = 64512},
                      {.name = "world",
                       .local = "2001:db8:2::1",
                       .remote = "2001:db8:2::2",
                       .as = 64700,
                       .exports = "all"}},
    };

    lab_link(pop, POP "/24 " POP6 "/64", transit, UPSTREAM "/24 " UPSTREAM6 "/64");
    lab_link(transit, "10.0.2.1/24 2001:db8:2::1/64", world, "10.0.2.2/24 2001:db8:2::2/64");
    struct lab_bird *bird = lab_bird_start(pop, lab_router_config(pop, &pop_router, config));
    lab_bird_start(transit, lab_router_config(transit, &transit_router, config));
    struct tap *tap = tap_start(world, &(struct tap_options){.local = "2001:db8:2::2",
                                                             .peer = "2001:db8:2::1",
                                                             .as = 64700,
                                                             .router_as = 64600});
    lab_birdc(bird, "enable popgate_dns_v4");
    lab_birdc(bird, "enable popgate_dns_v6");
    LAB_WAIT(tap_has(tap, "192.0.2.53/32") && tap_has(tap, "2001:db8::53/128"), "both prefixes",
             WAIT_MS);
    assert_int_equal(tap_route(tap, "192.0.2.53/32")->as_path[0], 64600);
    assert_int_equal(tap_route(tap, "192.0.2.53/32")->as_path[1], 64512);
}

LAB_TEST(a_tap_plays_another_pop)
{
    struct network net = small_network(false);
    struct bgp_attributes attributes = {
        .as_path = {64999}, .as_path_length = 1, .communities = {{64999, 1}}, .community_count = 1};

    tap_announce(net.tap, "192.0.2.53/32", &attributes);
    tap_announce(net.tap, "2001:db8::53/128", NULL);
    LAB_WAIT(lab_bird_imported(net.bird, "upstream") == 2, "BIRD to have both routes", WAIT_MS);
    const char *reply = lab_birdc(net.bird, "show route 192.0.2.53/32 all");
    assert_non_null(strstr(reply, "4200000001 64999"));
    assert_non_null(strstr(reply, "(64999,1)"));
    assert_non_null(strstr(lab_birdc(net.bird, "show route 2001:db8::53/128"), "upstream"));
    tap_withdraw(net.tap, "192.0.2.53/32");
    tap_withdraw(net.tap, "2001:db8::53/128");
    LAB_WAIT(lab_bird_imported(net.bird, "upstream") == 0, "BIRD to have lost both", WAIT_MS);
}

LAB_TEST(a_tap_feeds_a_table)
{
    struct network net = small_network(false);

    tap_feed(net.tap, 100000);
    LAB_WAIT(tap_flushed(net.tap), "the table to be written", WAIT_MS);
    LAB_WAIT(lab_bird_imported(net.bird, "upstream") == 100000, "BIRD to have it", WAIT_MS);
    assert_non_null(strstr(lab_birdc(net.bird, "show route 21.134.159.0/24"), "upstream"));
    assert_non_null(strstr(lab_birdc(net.bird, "show route 21.134.160.0/24"), "8001"));
}

// ---- Services
// -------------------------------------------------------------------------------------

LAB_TEST(unbound_answers_on_an_anycast_address_until_it_is_killed)
{
    char output[4096];
    struct lab_node *pop = lab_node("pop");
    const char *const query[] = {"dig",    "@192.0.2.53",      "+short", "+tries=1", "+time=5",
                                 "+notcp", "www.example.net.", "A",      NULL};
    struct lab_unbound conf = {
        .listen = "192.0.2.53 2001:db8::53",
        .zone = "example.net.",
        .local_data = "www.example.net. A 192.0.2.80\nwww.example.net. AAAA 2001:db8::80",
    };

    lab_address_add(pop, "192.0.2.53/32 2001:db8::53/128");
    struct lab_process *unbound = lab_unbound_start(pop, &conf);
    assert_int_equal(lab_run(pop, query, output, sizeof output), 0);
    assert_string_equal(output, "192.0.2.80\n");
    assert_int_equal(
        lab_run(pop, LAB_ARGV("dig", "@2001:db8::53", "+short", "+tcp", "CH", "TXT", "id.server."),
                output, sizeof output),
        0);
    assert_string_equal(output, "\"pop\"\n");
    lab_kill(unbound);
    assert_int_not_equal(lab_run(pop, query, NULL, 0), 0);
    lab_unbound_restart(unbound);
    assert_int_equal(lab_run(pop, query, NULL, 0), 0);
}

// ---- Popgated and popgate, played by this program
// ---------------------------------------------------

static int play_popgated(const char *config)
{
    sigset_t set;
    int signal = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fprintf(stderr, "popgated with %s\n", config);
    for (int i = 0; i < 100; i++) {
        sd_notify(0, "STATUS=more than a socket's queue holds");
    }
    sd_notify(0, "READY=1");
    while (sigwait(&set, &signal) == 0 && signal == SIGHUP) {
        sd_notify(0, access(config, R_OK) == 0 ? "RELOADING=1" : "STATUS=no file");
    }
    return 7;
}

LAB_TEST(popgated_becomes_ready_reloads_and_stops)
{
    struct lab_node *pop = lab_node("pop");

    setenv("POPGATED", SELF, 1);
    struct lab_popgated *popgated = lab_popgated_start(pop, "[pop]\nid = a\n");
    assert_true(lab_log_contains(lab_popgated_process(popgated), "popgated with /run/lab/pop"));
    lab_popgated_reload(popgated, "[pop]\nid = b\n");
    LAB_WAIT(lab_popgated_notified(popgated, "RELOADING=1") == 1, "the reload", WAIT_MS);
    assert_int_equal(lab_popgated_stop(popgated), 7);
    lab_popgated_restart(popgated);
    assert_int_equal(lab_popgated_notified(popgated, "READY=1"), 2);
    lab_popgated_kill(popgated);
    assert_false(lab_running(lab_popgated_process(popgated)));
}

LAB_TEST(popgate_gives_its_status_and_output)
{
    char output[LAB_OUTPUT_MAX];
    struct lab_node *pop = lab_node("pop");

    setenv("POPGATE", SELF, 1);
    assert_int_equal(LAB_POPGATE(pop, output, "drain", "dns"), 4);
    assert_string_equal(output, "--socket /run/lab/pop/run/popgate.sock drain dns\n");
}

// ---- The end
// --------------------------------------------------------------------------------------

static int play_killed_lab(void)
{
    struct network net = small_network(false);
    struct lab_command command = {.name = "sleep", .argv = LAB_ARGV("sleep", "1000")};

    lab_spawn(net.upstream, &command);
    printf("the lab is up\n");
    fflush(stdout);
    pause();
    return 0;
}

static bool is_marked(const char *pid)
{
    char path[300], environment[32768];

    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, environment, sizeof environment) : 0;
    if (fd >= 0) {
        close(fd);
    }
    return got > 0 && memmem(environment, (size_t)got, MARK, strlen(MARK)) != NULL;
}

// Processes of the killed lab: they all have the mark in their environment.
static size_t marked_processes(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(proc);
    while ((entry = readdir(proc)) != NULL) {
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_marked(entry->d_name);
    }
    closedir(proc);
    return count;
}

// No process and no descriptor is left in them, and they were mounted nowhere: so no namespace is.
LAB_TEST(a_killed_lab_leaves_no_process_behind)
{
    struct lab_node *node = lab_node("host");
    struct lab_command command = {
        .name = "lab", .argv = LAB_ARGV(SELF), .environment = LAB_ARGV(MARK)};

    struct lab_process *killed = lab_spawn(node, &command);
    LAB_WAIT(lab_log_contains(killed, "the lab is up"), "the lab within the lab", WAIT_MS);
    LAB_WAIT(marked_processes() >= 5, "outer, init, program, BIRD and sleep", WAIT_MS);
    lab_kill(killed);
    LAB_WAIT(marked_processes() == 0, "every process of the lab to go", WAIT_MS);
}

// As a shell without job control has what it starts in the background.
LAB_TEST(an_interrupted_lab_ends_also_when_it_was_to_ignore_that)
{
    char self[LAB_PATH_MAX] = "";
    assert_true(readlink(SELF, self, sizeof self - 1) > 0);
    struct lab_command command = {
        .name = "lab",
        .argv = LAB_ARGV("sh", "-c", "trap '' INT; exec \"$0\"", self),
        .environment = LAB_ARGV(MARK),
    };

    struct lab_process *interrupted = lab_spawn(lab_node("host"), &command);
    LAB_WAIT(lab_log_contains(interrupted, "the lab is up"), "the lab within the lab", WAIT_MS);
    assert_int_equal(kill(lab_pid(interrupted), SIGINT), 0);
    assert_int_equal(lab_wait_exit(interrupted, WAIT_MS), 128 + SIGINT);
    LAB_WAIT(marked_processes() == 0, "every process of the lab to go", WAIT_MS);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--config") == 0) {
        return play_popgated(argv[2]);
    }
    if (argc == 5 && strcmp(argv[1], "--socket") == 0) {
        printf("%s %s %s %s\n", argv[1], argv[2], argv[3], argv[4]);
        return 4;
    }
    if (getenv("LAB_TEST_PART") != NULL) {
        lab_init();
        return play_killed_lab();
    }
    return test_main(argc, argv);
}
