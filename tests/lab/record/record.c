// `make recordings`: what a real BIRD (BIRD= chooses it) says on its control socket, byte by byte,
// for the reply parser's tests. One file a connection: DIRECTORY/bird-VERSION-WHAT.txt.
//
// The router has popgate's include file and three neighbours: one is a BIRD too, with graceful
// restart and BFD, and has a path of its own to our prefix; one refuses; one is switched off. For
// the last recording there are an internal session over IPv4 only, and one out of a range of
// neighbours.
#include "tests/lab/bird.h"
#include "tests/lab/popgated.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 10000
#define WAIT_MS   20000

struct recorder {
    struct lab_node *node;
    struct lab_bird *bird, *upstream;
    const char *directory;
    char version[32]; // "2.0.12"
    int fd;
    FILE *file;
};

// ---- The router and its neighbour

static const char router[] =
    "log stderr all;\n"
    "router id 10.0.1.1;\n"
    "hostname \"fra1\";\n"
    "include \"/run/lab/fra1/run/time*.conf\";\n"
    "protocol device { }\n"
    "protocol direct { ipv4; ipv6; interface \"lo\"; }\n"
    "protocol bfd { }\n"
    "include \"/run/[l]ab/fra1/run/bird*.conf\";\n"
    "include \"/run/lab/fra1/run/sessions*.conf\";\n"
    "protocol static elsewhere { ipv4; route 203.0.113.0/24 blackhole; }\n"
    "protocol bgp upstream_a {\n"
    "  description \"first upstream\";\n"
    "  local 10.0.1.1 as 64512; neighbor 10.0.1.2 as 64513;\n"
    "  bfd on; graceful restart on; long lived graceful restart on;\n"
    "  connect delay time 1; connect retry time 1; error wait time 1, 1;\n"
    "  ipv4 { import all; export where proto ~ \"popgate_*\"; };\n"
    "  ipv6 { import all; export where proto ~ \"popgate_*\"; next hop self; };\n"
    "}\n"
    "protocol bgp upstream_with_a_long_name {\n"
    "  local 10.0.1.1 as 64512; neighbor 10.0.1.2 port 1790 as 64514;\n"
    "  connect delay time 1; connect retry time 1;\n"
    "  ipv4 { import all; export none; };\n"
    "}\n"
    "protocol bgp upstream_off {\n"
    "  disabled; local 10.0.1.1 as 64512; neighbor 10.0.1.4 as 64515;\n"
    "  ipv4 { import all; export none; };\n"
    "}\n";

static const char neighbour[] =
    "log stderr all;\n"
    "router id 10.0.1.2;\n"
    "protocol device { }\n"
    "protocol bfd { }\n"
    "protocol static {\n"
    "  ipv4; route 192.0.2.53/32 blackhole { bgp_community.add((64513, 1)); };\n"
    "  route 198.51.100.0/24 blackhole;\n"
    "}\n"
    "protocol bgp fra1 {\n"
    "  local 10.0.1.2 as 64513; neighbor 10.0.1.1 as 64512;\n"
    "  bfd on; graceful restart on; long lived graceful restart on; passive;\n"
    "  ipv4 { import all; export all; }; ipv6 { import all; export all; };\n"
    "}\n"
    "protocol bgp fra1_internal {\n"
    "  disabled; local 10.0.2.2 as 64512; neighbor 10.0.2.1 as 64512;\n"
    "  connect delay time 1; connect retry time 1; error wait time 1, 1;\n"
    "  graceful restart off; ipv4 { import all; export none; };\n"
    "}\n"
    "protocol bgp fra1_leaf {\n"
    "  disabled; local 10.0.3.130 as 64516; neighbor 10.0.3.1 as 64512;\n"
    "  connect delay time 1; connect retry time 1; error wait time 1, 1;\n"
    "  ipv4 { import all; export none; };\n"
    "}\n";

static const char more_sessions[] =
    "protocol bgp core1 {\n"
    "  local 10.0.2.1 as 64512; neighbor 10.0.2.2 as 64512; passive; hold time 9;\n"
    "  ipv4 { import all; export where proto ~ \"popgate_*\"; };\n"
    "}\n"
    "protocol bgp many {\n"
    "  local 10.0.3.1 as 64512; neighbor range 10.0.3.128/25 external; dynamic name \"leaf\";\n"
    "  ipv4 { import all; export none; }; ipv6 { import all; export none; };\n"
    "}\n";

static const char sections[] =
    "[probe dns]\ntype = dns\ntarget = 192.0.2.53:53\nqname = example.net\n"
    "[service dns]\nprefixes = 192.0.2.53/32 2001:db8::53/128\nrequire = dns\n"
    "communities = 64512:100\nlarge_communities = 64512:1:2\n";

static void write_include(const struct recorder *recorder)
{
    char config[LAB_CONFIG_MAX], path[LAB_PATH_MAX];
    static char include[LAB_OUTPUT_MAX];

    lab_write(recorder->node, "popgate.conf",
              lab_popgated_config(recorder->node, recorder->bird, 64512, sections, config));
    if (lab_run(recorder->node,
                LAB_ARGV(lab_popgated_program(), "--print-bird-config",
                         lab_path(recorder->node, "popgate.conf", path)),
                include, sizeof include) != 0) {
        lab_fail("popgated --print-bird-config: %s", include);
    }
    lab_write(recorder->node, "run/bird.conf", include);
}

static bool is_ready(const struct recorder *recorder)
{
    return lab_bird_established(recorder->bird, "upstream_a") &&
           lab_bird_imported(recorder->bird, "upstream_a") == 2 &&
           strstr(lab_birdc(recorder->bird, "show bfd sessions"), "Up") != NULL &&
           strstr(lab_birdc(recorder->bird, "show protocols"), "refused") != NULL;
}

static void make_network(struct recorder *recorder)
{
    struct lab_node *upstream = lab_node("upstream");

    recorder->node = lab_node("fra1");
    lab_link(recorder->node, "10.0.1.1/24 10.0.2.1/24 10.0.3.1/24 2001:db8:1::1/64", upstream,
             "10.0.1.2/24 10.0.2.2/24 10.0.3.130/24 2001:db8:1::2/64");
    recorder->upstream = lab_bird_start(upstream, neighbour);
    recorder->bird = lab_bird_start(recorder->node, router);
    write_include(recorder);
    lab_birdc(recorder->bird, "configure");
    lab_birdc(recorder->bird, "enable \"popgate_dns_v?\"");
    LAB_WAIT(is_ready(recorder), "the sessions with the neighbour", WAIT_MS);
}

// ---- One connection

static bool is_last_line(const char *line)
{
    return strlen(line) > 4 && strspn(line, "0123456789") == 4 && line[4] == ' ';
}

// One byte at a time, so that what follows the line stays in the socket.
static void take_line(const struct recorder *recorder, char line[4096])
{
    struct pollfd readable = {.fd = recorder->fd, .events = POLLIN};
    size_t length = 0;

    do {
        if (poll(&readable, 1, ANSWER_MS) != 1 || read(recorder->fd, line + length, 1) != 1) {
            lab_fail("read from BIRD: no whole line within %d ms", ANSWER_MS);
        }
    } while (line[length++] != '\n' && length < 4095);
    line[length] = '\0';
    fputs(line, recorder->file);
}

static void take_reply(const struct recorder *recorder)
{
    char line[4096];

    do {
        take_line(recorder, line);
    } while (!is_last_line(line));
}

static void say(const struct recorder *recorder, const char *command)
{
    if (dprintf(recorder->fd, "%s\n", command) < 0) {
        lab_fail("say `%s` to BIRD: it hung up", command);
    }
    take_reply(recorder);
}

static void say_all(const struct recorder *recorder, const char *const commands[])
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        say(recorder, commands[i]);
    }
}

static void begin(struct recorder *recorder, const char *what)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[1024];

    snprintf(address.sun_path, sizeof address.sun_path, "%s", lab_bird_socket(recorder->bird));
    snprintf(path, sizeof path, "%s/bird-%s-%s.txt", recorder->directory, recorder->version, what);
    recorder->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    recorder->file = fopen(path, "w");
    if (recorder->fd < 0 || recorder->file == NULL ||
        connect(recorder->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        lab_fail("record into %s: %s", path, strerror(errno));
    }
    take_reply(recorder);
}

static void end(struct recorder *recorder)
{
    close(recorder->fd);
    if (fclose(recorder->file) != 0) {
        lab_fail("record into %s: %s", recorder->directory, strerror(errno));
    }
}

// ---- What is recorded

static void protocols(struct recorder *recorder)
{
    begin(recorder, "protocols");
    say_all(recorder,
            LAB_ARGV("show protocols", "show protocols \"nosuch\"",
                     "show protocols all \"popgate_dns_v4*\"",
                     "show protocols all \"popgate?_pipe\"", "show protocols all \"upstream_a\"",
                     "show protocols all \"upstream_with_a_long_name\"",
                     "show protocols all \"upstream_off\"", "show bfd sessions"));
    end(recorder);
}

static void routes(struct recorder *recorder)
{
    begin(recorder, "routes");
    say_all(recorder, LAB_ARGV("show route 192.0.2.53/32", "show route 192.0.2.53/32 all",
                               "show route 192.0.2.53/32 table popgate4",
                               "show route 192.0.2.53/32 export 'upstream_a'",
                               "show route 192.0.2.53/32 export 'upstream_a' all",
                               "show route 192.0.2.53/32 exported 'upstream_a'",
                               "show route 198.51.100.0/24 export 'upstream_a'",
                               "show route 2001:db8::53/128 export 'upstream_a' all",
                               "show route 192.0.2.99/32 export 'upstream_a'",
                               "show route 192.0.2.53/32 export 'upstream_with_a_long_name'",
                               "show route 192.0.2.53/32 export 'upstream_off'",
                               "show route 2001:db8::53/128 export 'upstream_off'",
                               "show route 192.0.2.53/32 export 'nosuch'",
                               "show route 192.0.2.53/33", "show route", "show route count"));
    end(recorder);
}

static void switching(struct recorder *recorder)
{
    begin(recorder, "switching");
    say_all(recorder, LAB_ARGV("disable \"popgate_dns_v4\"", "disable \"popgate_dns_v4\"",
                               "enable \"popgate_dns_v4_drain\"", "enable \"popgate_dns_v4_drain\"",
                               "enable \"popgate_dns_v4\"", "disable \"popgate_dns_v4_drain\"",
                               "disable \"popgate_dns_v4*\"", "enable \"popgate_dns_v4\"",
                               "disable \"nosuch\"", "disable nosuch", "disable",
                               "enabel \"nosuch\"", "show status", "restrict",
                               "disable \"popgate_dns_v4\"", "configure", "show status"));
    end(recorder);
}

// A second `configure` while one is under way is the end of 3.3.2 (bird-facts 28).
static void reconfigure(const struct recorder *recorder, const char *command)
{
    say(recorder, command);
    LAB_WAIT(strstr(lab_birdc(recorder->bird, "show status"), "up and running") != NULL,
             "the end of the reconfiguration", WAIT_MS);
}

static void configure(struct recorder *recorder)
{
    static const char *const with_more[] = {
        "configure timeout", "configure confirm", "configure timeout 60", "configure status",
        "configure undo",    "configure undo",    "configure confirm"};

    begin(recorder, "configure");
    say(recorder, "configure check");
    reconfigure(recorder, "configure");
    reconfigure(recorder, "configure soft");
    lab_write(recorder->node, "run/bird-more.conf", "protocol static {{\n");
    say(recorder, "configure check");
    reconfigure(recorder, "configure");
    lab_write(recorder->node, "run/bird-more.conf", "protocol static more { ipv4; }\n");
    for (size_t i = 0; i < sizeof with_more / sizeof *with_more; i++) {
        reconfigure(recorder, with_more[i]);
    }
    lab_write(recorder->node, "run/bird-more.conf", "");
    reconfigure(recorder, "configure");
    end(recorder);
}

static void time_formats(struct recorder *recorder)
{
    static const char *const formats[] = {
        "timeformat protocol iso long; timeformat route iso long;",
        "timeformat protocol \"%b %d %H:%M\"; timeformat route \"%b %d %H:%M\";", ""};

    begin(recorder, "timeformat");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        lab_write(recorder->node, "run/time.conf", formats[i]);
        reconfigure(recorder, "configure");
        say_all(recorder, LAB_ARGV("show protocols", "show route 198.51.100.0/24"));
    }
    end(recorder);
}

// Somebody else's doings between our replies; 3.x has no echo.
static void echo(struct recorder *recorder)
{
    begin(recorder, "echo");
    say(recorder, "echo all 4096");
    lab_birdc(recorder->bird, "enable \"popgate_dns_v4\"");
    say(recorder, "show protocols \"popgate_dns_v4*\"");
    lab_birdc(recorder->bird, "configure");
    say(recorder, "show protocols \"popgate_dns_v4*\"");
    end(recorder);
}

static void sessions(struct recorder *recorder)
{
    lab_write(recorder->node, "run/sessions.conf", more_sessions);
    lab_birdc(recorder->bird, "configure");
    lab_birdc(recorder->bird, "enable \"popgate_dns_v?\"");
    lab_birdc(recorder->upstream, "enable \"fra1_internal\"");
    lab_birdc(recorder->upstream, "enable \"fra1_leaf\"");
    LAB_WAIT(lab_bird_established(recorder->bird, "core1") &&
                 lab_bird_established(recorder->bird, "leaf1"),
             "the sessions with the same neighbour's other selves", WAIT_MS);
    begin(recorder, "sessions");
    say_all(recorder, LAB_ARGV("show protocols", "show protocols all \"core1\"",
                               "show protocols all \"many\"", "show protocols all \"leaf1\"",
                               "show bfd sessions", "show route 192.0.2.53/32 export 'core1'",
                               "show route 2001:db8::53/128 export 'core1'",
                               "show route 192.0.2.53/32 export 'many'",
                               "show route 192.0.2.53/32 export 'leaf1'"));
    end(recorder);
}

int main(int argc, char **argv)
{
    struct recorder recorder = {.directory = argv[1]};

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    lab_init();
    make_network(&recorder);
    sscanf(lab_birdc(recorder.bird, "show status"), "%*s %31[^\n]", recorder.version);
    protocols(&recorder);
    routes(&recorder);
    switching(&recorder);
    configure(&recorder);
    time_formats(&recorder);
    echo(&recorder);
    sessions(&recorder);
    lab_clear();
    printf("recorded BIRD %s in %s\n", recorder.version, recorder.directory);
    return 0;
}
