// An installed PoP on a booted systemd: see booted.h.
#include "tests/lab/booted.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char bird_conf[] =
    "log syslog all;\n"
    "router id 10.0.1.1;\n"
    "protocol device { scan time 1; }\n"
    "%s"
    "protocol bgp upstream {\n"
    "    local 10.0.1.1 as 64512;\n"
    "    neighbor 10.0.1.2 as 64600;\n"
    "    passive on;\n"
    "    hold time 240;\n"
    "    error wait time 1, 2;\n"
    "    ipv4 { import none; export " LAB_EXPORT "; };\n"
    "    ipv6 { import none; export " LAB_EXPORT "; next hop address 2001:db8:1::1; };\n"
    "}\n";

static const char enable_bird[] =
    "mkdir -p etc/systemd/system/multi-user.target.wants && "
    "ln -s /lib/systemd/system/bird.service etc/systemd/system/multi-user.target.wants/ && "
    "rm -f etc/systemd/system/bird.service.d/*";

struct booted booted_host(bool includes)
{
    struct booted pop = {.node = lab_node("pop"), .upstream = lab_node("upstream")};
    char text[2048];
    char root[LAB_PATH_MAX];

    lab_link(pop.node, "10.0.1.1/24 2001:db8:1::1/64", pop.upstream,
             "10.0.1.2/24 2001:db8:1::2/64");
    lab_address_add(pop.node, POP_V4 " " POP_V6);
    pop.tap = tap_start(pop.upstream, &(struct tap_options){.local = "10.0.1.2",
                                                            .peer = "10.0.1.1",
                                                            .other = "2001:db8:1::2",
                                                            .as = UPSTREAM_AS,
                                                            .router_as = POP_AS});
    pop.boot = boot_make(pop.node);
    snprintf(text, sizeof text, bird_conf,
             includes ? "include \"/run/[p]opgate/bird*.conf\";\n" : "");
    boot_write(pop.boot, "/etc/bird/bird.conf", text);
    if (lab_run(pop.node,
                LAB_ARGV("sh", "-c", "cd \"$0\" && eval \"$1\"", boot_path(pop.boot, "/", root),
                         enable_bird),
                NULL, 0) != 0) {
        lab_fail("enable BIRD in the tree");
    }
    return pop;
}

void booted_install(const struct booted *pop)
{
    char stage[512];
    char root[LAB_PATH_MAX];
    const char *program = lab_popgated_program();
    const char *slash = strrchr(program, '/');

    snprintf(stage, sizeof stage, "%.*s/stage/.", slash != NULL ? (int)(slash - program) : 1,
             slash != NULL ? program : ".");
    if (access(stage, F_OK) != 0) {
        lab_fail("there is no %s: `make check-install` makes it", stage);
    }
    if (lab_run(
            pop->node,
            LAB_ARGV("cp", "-a", "--no-preserve=ownership", stage, boot_path(pop->boot, "/", root)),
            NULL, 0) != 0) {
        lab_fail("install %s", stage);
    }
}

void booted_configure(const struct booted *pop, const char *config)
{
    boot_write(pop->boot, "/etc/popgate/popgate.conf", config);
}

struct booted booted_pop(void)
{
    struct booted pop = booted_host(true);

    booted_install(&pop);
    booted_configure(&pop, BOOTED_USUAL);
    boot_start(pop.boot);
    BOOTED_RUN(&pop, 0, "popgated", "--check-config");
    BOOTED_RUN(&pop, 0, "systemctl", "enable", "--now", "popgated");
    BOOTED_WAIT_ANNOUNCED(&pop);
    return pop;
}

bool booted_is(const struct booted *pop, const char *unit, const char *property, const char *value)
{
    return strcmp(boot_shows(pop->boot, unit, property), value) == 0;
}

bool booted_log_has(const struct booted *pop, const char *text)
{
    return boot_run(pop->boot,
                    LAB_ARGV("sh", "-c", "journalctl -b -q --no-pager | grep -qF -e \"$0\"", text),
                    NULL, 0) == 0;
}

void booted_run(const struct booted *pop, int status, const char *const argv[], const char *file,
                int line)
{
    int ended = boot_run(pop->boot, argv, pop_output, sizeof pop_output);

    if (ended != status) {
        lab_fail("%s:%d: %s %s ended with %d, not %d, and wrote:\n%s", file, line, argv[0],
                 argv[1] != NULL ? argv[1] : "", ended, status, pop_output);
    }
}
