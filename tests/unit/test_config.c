// popgate.conf: what is read, what is refused, and that every mistake of a file is told at once.
#include "controller/config/build.h"
#include "dns/text.h"
#include "tests/test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD                                                                                       \
    "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n"                                                 \
    "[probe p]\ntype = tcp\ntarget = 192.0.2.53:53\n" // seven lines
#define SERVICE "[service dns]\nprefixes = 192.0.2.53/32\nrequire = p\n"

static char told[16384];
static size_t errors, warnings;

static void hear(void *arg, bool error, const char *line)
{
    (void)arg;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s\n", line);
    errors += error;
    warnings += !error;
}

static void forget(void)
{
    told[0] = '\0';
    errors = warnings = 0;
}

static struct config *parse(const char *text)
{
    forget();
    return config_parse("f", text, hear, NULL);
}

static struct config *parse_good(const char *text)
{
    struct config *config = parse(text);
    if (!config || errors || warnings) {
        print_message("%s", told);
    }
    assert_non_null(config);
    assert_int_equal(errors + warnings, 0);
    return config;
}

// The text has this one error and no other.
static void assert_error(const char *text, const char *line)
{
    struct config *config = parse(text);
    if (config || errors != 1 || !strstr(told, line)) {
        print_message("wanted: %s\ntold: %s", line, told);
    }
    assert_null(config);
    assert_int_equal(errors, 1);
    assert_non_null(strstr(told, line));
}

static void assert_warning(const char *text, const char *line)
{
    struct config *config = parse(text);
    assert_non_null(config);
    assert_int_equal(errors, 0);
    assert_non_null(strstr(told, line));
    config_free(config);
}

TEST(a_small_file_has_all_defaults)
{
    struct config *config = parse_good(HEAD SERVICE);
    assert_string_equal(config->pop.id, "fra1");
    assert_string_equal(config->pop.state_dir, "/var/lib/popgate");
    assert_string_equal(config->pop.runtime_dir, "/run/popgate");
    assert_string_equal(config->bird.socket, "/run/bird/bird.ctl");
    assert_int_equal(config->bird.local_as, 64512);
    assert_int_equal(config->bird.session_count, 0);
    assert_int_equal(config->bird.min_sessions, 1);
    assert_int_equal(config->bird.configure, CONFIGURE_AUTO);
    assert_string_equal(config->bird.table4, "master4");
    assert_string_equal(config->bird.table6, "master6");
    assert_string_equal(config->control.group, "popgate");
    assert_int_equal(config->control.http.length, 0);
    assert_int_equal(config->probe_count, 1);
    assert_int_equal(config->probes[0].interval_ms, 1000);
    assert_int_equal(config->probes[0].line, 5);
    const struct service_conf *service = &config->services[0];
    assert_int_equal(service->line, 8);
    assert_true(service->has_family[FAMILY_V4]);
    assert_false(service->has_family[FAMILY_V6]);
    assert_int_equal(service->any_min, 1);
    assert_int_equal(service->hold_down_ms, 10000);
    assert_int_equal(service->max_hold_down_ms, 600000);
    assert_int_equal(service->grace_ms, 30000);
    assert_int_equal(service->adopt_grace_ms, 30000);
    assert_int_equal(service->on_unknown, ON_UNKNOWN_HOLD);
    assert_int_equal(service->on_exit, ON_EXIT_WITHDRAW);
    assert_true(service->last_pop_guard);
    assert_int_equal(service->primary.communities_count, 0);
    assert_int_equal(service->drain.communities_count, 1);
    assert_int_equal(service->drain.communities[0].part[0], 65535);
    assert_int_equal(service->drain.communities[0].part[1], 0);
    config_free(config);
}

TEST(the_example_is_without_fault)
{
    forget();
    struct config *config = config_load("etc/popgate.conf", hear, NULL);
    if (errors || warnings) {
        print_message("%s", told);
    }
    assert_non_null(config);
    assert_int_equal(errors + warnings, 0);
    assert_int_equal(config->probe_count, 2);
    assert_int_equal(config->service_count, 1);
    assert_int_equal(config->services[0].prefix_count, 2);
    assert_int_equal(config->responder.listen_count, 2);
    config_free(config);
}

TEST(an_empty_file_says_what_it_needs)
{
    assert_null(parse(""));
    assert_int_equal(errors, 2);
    assert_non_null(strstr(told, "f:1: [pop] has no `id`"));
    assert_non_null(strstr(told, "f:1: [bird] has no `local_as`"));
}

TEST(every_mistake_is_told_in_one_pass_and_in_order)
{
    assert_null(parse("[pop]\nid = fra 1\n[bird]\nlocal_as = x\n[probe p]\ntype = tpc\n"
                      "[service dns]\nprefixes = 192.0.2.53\nrequire = q\n[brid]\n"));
    assert_string_equal(
        told, "f:2: `id`: \"fra 1\" may have only letters, digits and _ - . in it\n"
              "f:4: `local_as`: \"x\" is not a whole number\n"
              "f:5: no service uses probe `p`\n"
              "f:6: `type`: there is no probe type \"tpc\"; did you mean tcp?\n"
              "f:8: `prefixes`: \"192.0.2.53\" has no length; did you mean 192.0.2.53/32?\n"
              "f:9: `require` of [service dns]: there is no probe `q`\n"
              "f:10: unknown section [brid]; did you mean [bird]?\n");
}

TEST(an_unknown_key_names_the_nearest)
{
    assert_error(HEAD "intervall = 1s\n" SERVICE,
                 "f:8: unknown key `intervall` in [probe]; did you mean `interval`?");
    assert_error(HEAD "fluxcompensator = 1s\n" SERVICE,
                 "f:8: unknown key `fluxcompensator` in [probe]\n");
    assert_error(HEAD SERVICE "drain_comunities = 1:1\n", "did you mean `drain_communities`?");
    assert_error(HEAD "tpye = tcp\n" SERVICE, "did you mean `type`?");
}

TEST(a_key_of_another_probe_type_says_of_which)
{
    assert_error(HEAD "server_name = dns.example.net\n" SERVICE,
                 "f:8: `server_name` is a key of type tls, not of this probe's type\n");
}

TEST(an_unknown_section_names_the_nearest)
{
    assert_error(HEAD SERVICE "[responders]\nthreads = 1\n",
                 "f:11: unknown section [responders]; did you mean [responder]?");
    assert_error(HEAD SERVICE "[telemetry]\nthreads = 1\n", "f:11: unknown section [telemetry]\n");
}

TEST(a_named_section_has_a_name_and_others_none)
{
    assert_error(HEAD SERVICE "[probe]\n", "f:11: [probe] needs a name: [probe NAME]");
    assert_error(HEAD SERVICE "[control x]\n", "f:11: [control] takes no name; write [control]");
}

TEST(a_section_twice_names_the_first)
{
    assert_error(HEAD SERVICE "[pop]\nid = x\n", "f:11: [pop] is here already, in line 1");
    assert_error(HEAD SERVICE "[probe p]\ntype = tcp\n",
                 "f:11: [probe p] is here already, in line 5");
}

TEST(a_key_twice_names_the_first)
{
    assert_error(HEAD SERVICE "grace = 1s\ngrace = 2s\n",
                 "f:12: `grace` is set already, in line 11");
}

TEST(a_list_may_be_continued_and_repeated)
{
    struct config *config = parse_good(HEAD SERVICE "prefixes =   ; first none\n"
                                                    "  2001:db8::53/128 192.0.2.54/32 ; two\n"
                                                    "\n"
                                                    "# a comment between\n"
                                                    "\t2001:db8::54/128\n");
    assert_int_equal(config->services[0].prefix_count, 4);
    char text[PREFIX_TEXT_MAX];
    assert_string_equal(prefix_text(&config->services[0].prefixes[3], text), "2001:db8::54/128");
    config_free(config);
}

TEST(a_list_of_nothing_has_no_value)
{
    assert_error(HEAD SERVICE "communities =\n", "f:11: `communities`: has no value");
    assert_error(HEAD SERVICE "grace = ; soon\n", "f:11: `grace`: has no value");
}

TEST(only_a_list_may_be_continued)
{
    assert_error(HEAD SERVICE "grace = 1s\n  2s\n",
                 "f:12: white space at the start of the line "
                 "continues `grace` (line 11), which is not a list");
    assert_error("  \n [pop]\n" HEAD SERVICE, "f:2: this line starts with white space");
}

TEST(a_line_that_is_nothing_is_told)
{
    assert_error(HEAD SERVICE "grace\n", "f:11: neither a [section] nor a `key = value`");
    assert_error(HEAD SERVICE "grace: 1s\n", "f:11: neither");
    assert_error(HEAD SERVICE "= 1s\n", "f:11: neither");
    assert_error(HEAD SERVICE "grace ; = 1s", "f:11: neither");
    assert_error("id = x\n" HEAD SERVICE, "f:1: `id` stands before the first [section]");
    assert_error(HEAD SERVICE "[control\ngroup = x\n", "f:11: a section is written as");
    assert_error(HEAD SERVICE "[control] x\ngroup = x\n", "f:11: a section is written as");
    assert_error(HEAD SERVICE "[]\n", "f:11: a section is written as");
}

TEST(a_long_line_is_refused_never_cut)
{
    char text[2048];
    // A prefix list that, cut, would still be a good one.
    snprintf(text, sizeof text, HEAD "%s%250s%s\n 192.0.2.60/32\nrequire = p\n",
             "[service dns]\nprefixes = 10.0.0.0/8\nprefixes = 192.0.2.53/32 ", "", "192.0.2.5/32");
    assert_null(parse(text));
    assert_int_equal(errors, 1);
    assert_non_null(strstr(told, "f:10: this line is too long: 287 bytes, at most 198"));
    snprintf(text, sizeof text, HEAD SERVICE "# %400s\n", "long comment");
    config_free(parse_good(text));
}

TEST(a_long_section_name_is_whole)
{
    // inih itself cuts a section's name at 49 bytes.
    assert_error(
        HEAD SERVICE "[probe a23456789012345678901234567890123456789012345678]\n"
                     "type = tcp\ntarget = [::1]:1\n"
                     "[service s]\nprefixes = 10.0.0.0/8\n"
                     "require = a23456789012345678901234567890123456789012345678\n",
        "f:11: the name \"a23456789012345678901234567890123456789012345678\" has 48 bytes, "
        "at most 47");
}

TEST(dos_line_ends_and_a_byte_order_mark_are_read)
{
    config_free(parse_good("\xef\xbb\xbf[pop]\r\nid = fra1\r\n[bird]\r\nlocal_as = 64512\r\n"
                           "[probe p]\r\ntype = tcp\r\ntarget = 192.0.2.53:53\r\n"
                           "[service dns]\r\nprefixes =\r\n 192.0.2.53/32\r\nrequire = p"));
}

TEST(what_is_not_text_is_refused)
{
    assert_error(HEAD SERVICE "grace = 1\001s\n", "f:11: a control character in this line");
    assert_error(HEAD SERVICE "# \xff\n", "f:11: this line is not UTF-8 text");
    assert_error(HEAD SERVICE "# \xed\xa0\x80\n", "f:11: this line is not UTF-8 text");
    assert_error(HEAD SERVICE "# \xe2\x82", "f:11: this line is not UTF-8 text");
    config_free(parse_good(HEAD SERVICE "# \xe2\x82\xac \xf0\x9f\x98\x80 \xc3\xa4\n"));
}

static void assert_load_error(const char *path, const char *saying)
{
    forget();
    assert_null(config_load(path, hear, NULL));
    assert_int_equal(errors, 1);
    assert_non_null(strstr(told, saying));
}

TEST(a_file_that_cannot_be_read_says_why)
{
    assert_load_error(
        "/nonexistent/popgate.conf",
        "/nonexistent/popgate.conf: can't open /nonexistent/popgate.conf: No such file");
    assert_load_error("/", "not a regular file");
}

TEST(what_is_wrong_or_missing_does_not_stop_the_fail_safe)
{
    static const char text[] = "[pop]\nruntime_dir = /run/pop\n[bird]\nsockt = /x\n[service a\n";
    char path[] = "/tmp/popgate_test_XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    forget();
    struct config *config = config_salvage(path, hear, NULL);
    unlink(path);
    assert_non_null(config);
    assert_true(errors > 0);
    assert_string_equal(config->pop.runtime_dir, "/run/pop");
    assert_string_equal(config->bird.socket, "/run/bird/bird.ctl");
    config_free(config);
    config = config_salvage("/nonexistent/popgate.conf", hear, NULL);
    assert_non_null(config);
    assert_string_equal(config->bird.socket, "/run/bird/bird.ctl");
    config_free(config);
}

TEST(a_nul_byte_is_told_with_its_line)
{
    char path[] = "/tmp/popgate_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[pop]\nid = a\0b\n", 15), 15);
    close(fd);
    assert_load_error(path, ":2: a NUL byte in this line");
    unlink(path);
}

TEST(defaults_reach_what_does_not_say_otherwise)
{
    struct config *config =
        parse_good(HEAD SERVICE "grace = 7s\n"
                                "[defaults]\ninterval = 5s\nunknown_grace = 9s\ngrace = 3s\n"
                                "hold_down = 4s\non_exit = keep\n");
    assert_int_equal(config->probes[0].interval_ms, 5000);
    assert_int_equal(config->probes[0].unknown_grace_ms, 9000);
    assert_int_equal(config->services[0].grace_ms, 7000);
    assert_int_equal(config->services[0].hold_down_ms, 4000);
    assert_int_equal(config->services[0].on_exit, ON_EXIT_KEEP);
    config_free(config);
}

TEST(a_mistake_in_defaults_is_told_once)
{
    assert_error(HEAD SERVICE "[defaults]\ninterval = 5\n",
                 "f:12: `interval`: \"5\" is not a duration");
    assert_error(HEAD SERVICE "[defaults]\nprefixes = 10.0.0.0/8\n",
                 "f:12: unknown key `prefixes` in [defaults]");
}

static uint64_t probe_fingerprint(const char *text)
{
    struct config *config = parse_good(text);
    uint64_t fingerprint = config->probes[0].fingerprint;
    config_free(config);
    return fingerprint;
}

TEST(a_fingerprint_is_of_what_is_meant_not_of_how_it_is_written)
{
    uint64_t plain = probe_fingerprint(HEAD SERVICE);
    assert_true(plain == probe_fingerprint(HEAD "interval = 1s ; the default\n\n" SERVICE));
    assert_true(plain == probe_fingerprint(HEAD SERVICE "[defaults]\ninterval = 1s\n"));
    assert_true(plain == probe_fingerprint(HEAD SERVICE "[defaults]\ngrace = 1s\n"));
    assert_false(plain == probe_fingerprint(HEAD SERVICE "[defaults]\ninterval = 2s\n"));
    assert_false(plain == probe_fingerprint(HEAD "timeout = 400ms\n" SERVICE));
    assert_false(plain == probe_fingerprint(HEAD "send = x\n" SERVICE));
}

TEST(prefixes_are_refused_for_what_they_are)
{
    static const struct {
        const char *prefix, *saying;
    } bad[] = {
        {"192.0.2.53/24", "192.0.2.53/24 has host bits set; did you mean 192.0.2.0/24?"},
        {"2001:db8::53/64", "2001:db8::53/64 has host bits set; did you mean 2001:db8::/64?"},
        {"0.0.0.0/0", "0.0.0.0/0 is a default route"},
        {"::/0", "::/0 is a default route"},
        {"192.0.2.0/33", "the length is not a number from 1 to 32"},
        {"2001:db8::/129", "the length is not a number from 1 to 128"},
        {"192.0.2.0/", "the length is not a number"},
        {"192.0.2.0/-1", "the length is not a number"},
        {"192.0.2/24", "is not a prefix"},
        {"2001:db8::53", "has no length; did you mean 2001:db8::53/128?"},
        {"dns.example/32", "is not a prefix"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, HEAD "[service dns]\nrequire = p\nprefixes = %s\n",
                 bad[i].prefix);
        assert_error(text, bad[i].saying);
    }
}

TEST(a_prefix_belongs_to_one_service)
{
    assert_error(HEAD SERVICE "[service b]\nrequire = p\nprefixes = 10.0.0.0/8 192.0.2.53/32\n",
                 "f:13: prefix 192.0.2.53/32 is in [service dns] already, line 9");
    assert_error(HEAD SERVICE " \nprefixes = 192.0.2.53/32\n",
                 "f:12: prefix 192.0.2.53/32 is in [service dns] already, line 9");
}

TEST(a_prefix_within_another_services_is_a_warning)
{
    assert_warning(HEAD SERVICE "[service b]\nrequire = p\nprefixes = 192.0.0.0/16 192.0.2.0/30\n",
                   "f:9: prefix 192.0.2.53/32 lies within 192.0.0.0/16 of [service b], line 13");
    // In one service they go up and down together.
    config_free(parse_good(HEAD SERVICE "prefixes = 192.0.2.0/24\n"));
}

TEST(names_are_found_and_the_nearest_told)
{
    assert_error(
        HEAD "[probe dns-udp]\ntype = tcp\ntarget = [::1]:53\n" SERVICE "any = dns-upd\n",
        "f:14: `any` of [service dns]: there is no probe `dns-upd`; did you mean `dns-udp`?");
    assert_error(HEAD SERVICE "depends = p\n",
                 "f:11: `depends` of [service dns]: there is no service `p`");
    assert_error(HEAD SERVICE "degrade = p p\n", "f:11: `degrade`: probe `p` is here twice");
}

TEST(names_become_indices)
{
    struct config *config =
        parse_good(HEAD "[service a]\nprefixes = 10.1.0.0/16\nrequire = q p\ndepends = b\n"
                        "[probe q]\ntype = tcp\ntarget = [::1]:1\n"
                        "[service b]\nprefixes = 10.2.0.0/16\nany = p\n");
    assert_int_equal(config->services[0].require.count, 2);
    assert_int_equal(config->services[0].require.items[0], 1);
    assert_int_equal(config->services[0].require.items[1], 0);
    assert_int_equal(config->services[0].depends.items[0], 1);
    assert_int_equal(config->service_order[0], 1);
    assert_int_equal(config->service_order[1], 0);
    config_free(config);
}

TEST(a_name_has_a_charset)
{
    assert_error(HEAD SERVICE "[service 1x]\nprefixes = 10.0.0.0/8\nrequire = p\n",
                 "f:11: \"1x\" is not a name");
    assert_error(HEAD SERVICE "[service a;b]\nprefixes = 10.0.0.0/8\nrequire = p\n",
                 "f:11: \"a;b\" is not a name");
    assert_error(HEAD SERVICE "[service a\" b]\nprefixes = 10.0.0.0/8\nrequire = p\n",
                 "f:11: \"a\" b\" is not a name");
}

TEST(a_service_needs_a_probe_that_can_take_it_down)
{
    assert_error(HEAD "[service a]\nprefixes = 10.1.0.0/16\ndegrade = p\n",
                 "f:8: [service a] has no probe in `require` or `any`");
}

TEST(any_min_is_not_above_any)
{
    assert_error(HEAD SERVICE "any = p\nany_min = 2\n",
                 "f:12: `any_min` is 2, but `any` has only 1");
    assert_error(HEAD SERVICE "any_min = 1\n", "f:11: `any_min` is 1, but `any` has only 0");
}

#define PROBES_OF_Q "[service q]\nprefixes = 192.0.2.99/32\nrequire = q\n[probe q]\n"

static void assert_told(const char *text, size_t error_count, const char *const lines[])
{
    struct config *config = parse(text);
    for (size_t i = 0; lines[i]; i++) {
        if (!strstr(told, lines[i])) {
            fail_msg("wanted: %s\ntold: %s", lines[i], told);
        }
    }
    assert_int_equal(errors, error_count);
    config_free(config);
}

TEST(all_that_is_missing_or_wrong_in_a_probe_is_told_at_once)
{
    static const char *const missing[] = {"[probe q] has no `qname`",
                                          "[probe q]: target is missing", NULL};
    assert_told(HEAD SERVICE PROBES_OF_Q "type = dns\n", 2, missing);
    static const char *const wrong[] = {"just one of token_url and token_file",
                                        "what judges the token", "jitter is longer than interval",
                                        "ca \"ca.pem\" must be an absolute path", NULL};
    assert_told(HEAD SERVICE PROBES_OF_Q "type = token\njitter = 1h\nca = ca.pem\n", 4, wrong);
}

TEST(a_server_name_is_a_host_name)
{
    static const char *const good[] = {"dns.example.net", "a", "_x.example.",
                                       "xn--bcher-kva.example"};
    static const char *const bad[] = {"a..b", "-a.example", "a b", "dns.example.net:853",
                                      "\xc3\xa4"};
    static const char *const addresses[] = {"192.0.2.1", "2001:db8::1"};
    char text[1024];
#define TLS_WITH_NAME HEAD SERVICE PROBES_OF_Q "type = tls\ntarget = [::1]:1\nserver_name = %s\n"
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, TLS_WITH_NAME, good[i]);
        config_free(parse_good(text));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, TLS_WITH_NAME, bad[i]);
        assert_null(parse(text));
    }
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        snprintf(text, sizeof text, TLS_WITH_NAME, addresses[i]);
        assert_error(text, "is an address, which no client sends");
    }
}

TEST(what_does_nothing_in_a_probe_is_a_warning)
{
    static const struct {
        const char *keys, *warning;
    } cases[] = {
        {"type = tls\ntarget = [::1]:1\nca = /nonexistent/ca.pem\n",
         "ca /nonexistent/ca.pem: No such file"},
        {"type = token\ntoken_url = http://192.0.2.1/t\nclient_id = c\n"
         "secret_file = /nonexistent/secret\njwks_url = http://192.0.2.1/k\n",
         "secret_file /nonexistent/secret: No such file"},
        {"type = http\nurl = http://192.0.2.1/\nmin_days = 7\n",
         "min_days is of no use with http:"},
        {"type = tcp\ntarget = [::1]:1\nfast_interval = 2s\n", "fast_interval is longer than"},
        {"type = dns\ntarget = [::1]:1\nqname = a.\nanswer = ::1\nqtype = AAAA\nrcode = NXDOMAIN\n",
         "rcode lacks NOERROR"},
        {"type = exec\ncommand = /nonexistent/check -H x\n", "command /nonexistent/check: No such"},
        {"type = exec\ncommand = popgate-nonexistent\n", "popgate-nonexistent is not in PATH"},
        {"type = token\ntoken_file = /dev/null\njwks_url = http://192.0.2.1/k\nscope = x\n",
         "scope is of no use with token_file"},
        {"type = token\ntoken_file = /dev/null\njwks_url = http://192.0.2.1/k\nclient_id = x\n",
         "nobody is asked as a client"},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "%s%s", HEAD SERVICE PROBES_OF_Q, cases[i].keys);
        assert_warning(text, cases[i].warning);
        assert_int_equal(warnings, 1);
    }
    // The default fast_interval is nobody's mistake.
    config_free(
        parse_good(HEAD SERVICE PROBES_OF_Q "type = tcp\ntarget = [::1]:1\ninterval = 50ms\n"));
}

TEST(the_last_pop_guard_has_a_default_for_all_services)
{
    struct config *config = parse_good(HEAD "[defaults]\nlast_pop_guard = off\n" SERVICE
                                            "[service b]\nrequire = p\nprefixes = 192.0.2.9/32\n"
                                            "last_pop_guard = on\n");
    assert_false(config->services[0].last_pop_guard);
    assert_true(config->services[1].last_pop_guard);
    config_free(config);
}

TEST(a_probe_of_no_service_is_a_warning)
{
    assert_warning(HEAD SERVICE "[probe q]\ntype = tcp\ntarget = [::1]:1\n",
                   "f:11: no service uses probe `q`");
}

TEST(services_that_bird_would_confuse_are_refused)
{
    assert_error(HEAD "[service a-b]\nprefixes = 10.1.0.0/16\nrequire = p\n"
                      "[service a_b]\nprefixes = 10.2.0.0/16\nrequire = p\n",
                 "f:11: services `a_b` and `a-b` (line 8) are one name to BIRD");
}

#define DEPENDENT(name, number, on)                                                                \
    "[service " name "]\nprefixes = 10." number ".0.0/16\nrequire = p\ndepends = " on "\n"

TEST(a_circle_of_services_is_shown)
{
    assert_error(HEAD DEPENDENT("a", "1", "b") DEPENDENT("b", "2", "c") DEPENDENT("c", "3", "b"),
                 "f:15: `depends` goes round in a circle: b -> c -> b");
    assert_error(HEAD DEPENDENT("a", "1", "a"), "f:11: `depends` goes round in a circle: a -> a");
}

TEST(every_circle_is_shown)
{
    assert_null(parse(HEAD DEPENDENT("a", "1", "b") DEPENDENT("b", "2", "a")
                          DEPENDENT("c", "3", "d a") DEPENDENT("d", "4", "c")));
    assert_int_equal(errors, 2);
    assert_non_null(strstr(told, "circle: a -> b -> a"));
    assert_non_null(strstr(told, "circle: c -> d -> c"));
}

TEST(what_has_a_name_is_found_by_it)
{
    struct config *config =
        parse_good(HEAD SERVICE "[probe a]\ntype = tcp\ntarget = 192.0.2.1:1\n"
                                "[service later]\nprefixes = 10.9.0.0/16\nany = a p\n");
    for (size_t i = 0; i < config->probe_count; i++) {
        assert_int_equal(config_probe(config, config->probes[i].name), i);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        assert_int_equal(config_service(config, config->services[i].name), i);
    }
    assert_int_equal(config_probe(config, "later"), SIZE_MAX);
    assert_int_equal(config_service(config, "a"), SIZE_MAX);
    assert_int_equal(config_service(config, ""), SIZE_MAX);
    assert_string_equal(config_nearest_service(config, "latr"), "later");
    assert_null(config_nearest_service(config, "earlier"));
    config_free(config);
}

TEST(services_are_ordered_after_what_they_depend_on)
{
    struct config *config =
        parse_good(HEAD DEPENDENT("a", "1", "b d") DEPENDENT("b", "2", "c") DEPENDENT("c", "3", "d")
                       SERVICE "[service d]\nprefixes = 10.9.0.0/16\nany = p\n");
    static const size_t wanted[] = {3, 4, 2, 1, 0};
    assert_int_equal(config->service_count, 5);
    assert_memory_equal(config->service_order, wanted, sizeof wanted);
    config_free(config);
}

TEST(the_twin_has_the_primarys_attributes_and_its_own)
{
    struct config *config = parse_good(
        HEAD SERVICE "communities = 64512:1 no-export\nlarge_communities = 64512:1:4294967295\n"
                     "ext_communities = rt:64512:10 generic:0x43000000:0x1\n"
                     "med = 10\nprepend = 1\nlocal_pref = 200\n"
                     "drain_communities = 64512:2 64512:1\ndrain_large_communities = 64512:2:2\n"
                     "drain_med = 0\n");
    const struct attributes *primary = &config->services[0].primary;
    const struct attributes *drain = &config->services[0].drain;
    assert_int_equal(primary->communities_count, 2);
    assert_int_equal(primary->communities[1].part[1], 65281);
    assert_int_equal(primary->large_communities[0].part[2], 4294967295);
    assert_string_equal(primary->ext_communities[0].text, "(rt, 64512, 10)");
    assert_string_equal(primary->ext_communities[1].text, "(generic, 0x43000000, 0x1)");
    assert_int_equal(drain->communities_count, 3);
    assert_int_equal(drain->communities[0].part[1], 65281);
    assert_int_equal(drain->large_communities_count, 2);
    assert_int_equal(drain->ext_communities_count, 2);
    assert_true(drain->has_med);
    assert_int_equal(drain->med, 0);
    assert_int_equal(drain->prepend, 1);
    assert_int_equal(drain->local_pref, 200);
    config_free(config);
}

TEST(drain_prepend_may_be_none)
{
    struct config *config = parse_good(HEAD SERVICE "prepend = 2\ndrain_prepend = 0\n");
    assert_int_equal(config->services[0].primary.prepend, 2);
    assert_int_equal(config->services[0].drain.prepend, 0);
    config_free(config);
}

TEST(a_drain_that_changes_nothing_is_a_warning)
{
    assert_warning(HEAD SERVICE "drain_communities = none\n",
                   "f:8: [service dns]: draining changes no attribute");
    config_free(parse_good(HEAD SERVICE "drain_communities = none\ndrain_med = 100\n"));
}

TEST(attributes_are_refused_for_what_they_are)
{
    static const struct {
        const char *line, *saying;
    } bad[] = {
        {"communities = 65536:1", "\"65536:1\" is not a community"},
        {"communities = 1:2:3", "is not a community"},
        {"communities = 1:2, 3:4", "\"1:2,\" is not a community"},
        {"communities = no-exprt", "did you mean no-export?"},
        {"communities = 1:2 1:2", "1:2 is here twice"},
        {"large_communities = 1:2", "is not a large community"},
        {"large_communities = 1:2:4294967296", "is not a large community"},
        {"ext_communities = xx:1:2", "is not an extended community"},
        {"ext_communities = rt:65536:65536", "is not an extended community"},
        {"ext_communities = rt:1:2));accept", "is not an extended community"},
        {"med = 4294967296", "is not a number up to 4294967295"},
        {"prepend = 17", "17 is not within 0 to 16"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, HEAD SERVICE "%s\n", bad[i].line);
        assert_error(text, bad[i].saying);
    }
}

TEST(sessions_are_checked)
{
#define BIRD_WITH(more) "[pop]\nid = x\n[bird]\nlocal_as = 1\n" more
#define REST            "[probe p]\ntype = tcp\ntarget = [::1]:1\n" SERVICE
    struct config *config = parse_good(BIRD_WITH("sessions = a b.c-d\nmin_sessions = 2\n") REST);
    assert_int_equal(config->bird.session_count, 2);
    assert_string_equal(config->bird.sessions[1], "b.c-d");
    config_free(config);
    assert_error(BIRD_WITH("sessions = a b\nmin_sessions = 3\n") REST,
                 "f:6: `min_sessions` is 3, but `sessions` names only 2");
    assert_error(BIRD_WITH("sessions = a\";\n") REST, "f:5: `sessions`: \"a\";\" may have only");
    assert_error(BIRD_WITH("sessions = a a\n") REST, "f:5: `sessions`: a is here twice");
    assert_error(BIRD_WITH("table4 = popgate4\n") REST,
                 "f:5: popgate4 is the table that popgate makes");
    assert_error(BIRD_WITH("table4 = a'b\n") REST, "f:5: `table4`: \"a'b\" may have only");
    assert_error(BIRD_WITH("configure = never\n") REST,
                 "f:5: `configure`: \"never\" is not one of auto, manual");
}

TEST(http_is_on_loopback)
{
    config_free(parse_good(HEAD SERVICE "[control]\nhttp = 127.0.0.2:9479\n"));
    config_free(parse_good(HEAD SERVICE "[control]\nhttp = [::1]:9479\n"));
    assert_error(HEAD SERVICE "[control]\nhttp = 0.0.0.0:9479\n",
                 "f:12: `http`: 0.0.0.0:9479 is not a loopback address");
    assert_error(HEAD SERVICE "[control]\nhttp = [2001:db8::1]:9479\n",
                 "is not a loopback address");
}

TEST(a_path_must_leave_room_for_the_socket)
{
    char text[512];
    snprintf(text, sizeof text, "[pop]\nid = x\nruntime_dir = /%093d\n[bird]\nlocal_as = 1\n" REST,
             0);
    config_free(parse_good(text)); // 94 bytes and 13 of /popgate.sock: 107
    snprintf(text, sizeof text, "[pop]\nid = x\nruntime_dir = /%094d\n[bird]\nlocal_as = 1\n" REST,
             0);
    assert_error(text, "f:3: `runtime_dir`: the path is too long for the socket");
    assert_error("[pop]\nid = x\nruntime_dir = run\n[bird]\nlocal_as = 1\n" REST,
                 "f:3: `runtime_dir`: \"run\" does not begin with /");
}

TEST(hold_down_stays_below_its_maximum)
{
    assert_error(HEAD SERVICE "hold_down = 20m\n",
                 "f:11: `max_hold_down` (10m) is less than `hold_down` (20m)");
}

TEST(a_probe_is_checked_as_its_type_wants)
{
    assert_error(HEAD SERVICE "degrade = q\n[probe q]\ntype = tcp\n",
                 "f:12: [probe q]: target is missing");
    assert_error(HEAD SERVICE "degrade = q\n[probe q]\ntarget = [::1]:1\n",
                 "f:12: [probe q] has no `type`");
    assert_error(HEAD SERVICE "degrade = q\n[probe q]\ntype = dns\ntarget = [::1]:1\n",
                 "f:12: [probe q] has no `qname`");
}

// --- [responder] and [answer] --------------------------------------------------------------------

#define RESPONDER "[responder]\nlisten = 192.0.2.53:53 [2001:db8::53]:53\nzone = pop.example.net\n"
#define ANSWER    "[answer api.pop.example.net]\n" // line 14 after HEAD, SERVICE and RESPONDER

static const char *name_text(const struct dns_name *name)
{
    static char text[DNS_NAME_TEXT_MAX];
    return dns_name_text(name, text);
}

TEST(a_small_responder_has_all_defaults)
{
    struct config *config = parse_good(HEAD SERVICE RESPONDER);
    assert_int_equal(config->responder.listen_count, 2);
    assert_int_equal(config->responder.listen[0].address.ss_family, AF_INET);
    assert_int_equal(config->responder.listen[1].length, sizeof(struct sockaddr_in6));
    assert_int_equal(config->responder.threads, 1);
    assert_int_equal(config->responder.udp_size, 1232);
    assert_int_equal(config->responder.rate_limit, 200);
    assert_int_equal(config->responder.slip, 2);
    assert_true(config->responder.cookies);
    assert_true(config->responder.nsid);
    assert_int_equal(config->responder.tcp_clients, 1000);
    assert_int_equal(config->responder.tcp_clients_per_address, 20);
    assert_int_equal(config->responder.tcp_idle_ms, 10000);
    assert_int_equal(config->responder.tcp_max_age_ms, 300000);
    const struct zone_conf *zone = &config->zone;
    assert_string_equal(zone->id, "fra1");
    assert_string_equal(zone->region, "");
    assert_null(zone->version);
    assert_string_equal(name_text(zone->apex), "pop.example.net.");
    assert_int_equal(zone->server_count, 1);
    assert_string_equal(name_text(&zone->servers[0]), "ns.pop.example.net.");
    assert_string_equal(name_text(&zone->hostmaster), "hostmaster.pop.example.net.");
    assert_int_equal(zone->ttl_s, 3600);
    assert_int_equal(zone->negative_ttl_s, 60);
    assert_int_equal(zone->address_count, 2);
    assert_int_equal(zone->service_count, 1);
    assert_string_equal(zone->services[0], "dns");
    assert_int_equal(zone->answer_count, 0);
    config_free(config);
}

TEST(without_a_responder_there_is_none)
{
    struct config *config = parse_good(HEAD SERVICE);
    assert_int_equal(config->responder.listen_count, 0);
    assert_null(config->zone.apex);
    config_free(config);
}

TEST(a_responder_says_what_it_is_told)
{
    struct config *config =
        parse_good(HEAD SERVICE "[responder]\nlisten = 0.0.0.0:5300\n  192.0.2.1:5353 ; and more\n"
                                "listen = 127.0.0.1:53 192.0.2.1:53\n"
                                "zone = Pop.example.net.\nns = ns1.example.net ns2.example.net.\n"
                                "hostmaster = dns.team@example.net\nid = {pop.id}-a\nnsid = off\n"
                                "version = popgate, what else\nttl = 2h\nnegative_ttl = 5\n"
                                "cookies = off\n");
    const struct zone_conf *zone = &config->zone;
    assert_int_equal(config->responder.listen_count, 4);
    assert_string_equal(zone->id, "fra1-a");
    assert_string_equal(zone->version, "popgate, what else");
    assert_int_equal(zone->server_count, 2);
    assert_string_equal(name_text(&zone->servers[1]), "ns2.example.net.");
    assert_string_equal(name_text(&zone->hostmaster), "dns\\.team.example.net.");
    assert_int_equal(zone->ttl_s, 7200);
    assert_int_equal(zone->negative_ttl_s, 5);
    assert_int_equal(zone->address_count, 1); // nobody elsewhere reaches the others
    assert_false(config->responder.nsid);
    assert_false(config->responder.cookies);
    config_free(config);
}

TEST(a_responder_is_refused_for_what_is_wrong)
{
    static const struct {
        const char *text, *line;
    } wrong[] = {
        {"[responder]\nzone = example.net\n", "f:11: [responder] has no `listen`"},
        {"[responder]\nlisten = 192.0.2.53\n", "f:12: `listen`: \"192.0.2.53\" is not address:"},
        {RESPONDER "listen = 192.0.2.53:53\n", "f:14: `listen`: 192.0.2.53:53 is here twice"},
        {RESPONDER "listen = 0.0.0.0:53\n", "f:14: `listen`: an address and the wildcard"},
        {"[responder]\nlisten = [::]:53 [::1]:53\n", "f:12: `listen`: [::1]:53 and the wildcard"},
        {RESPONDER "listen = [::ffff:192.0.2.1]:53\n", "an IPv4 address in disguise"},
        {RESPONDER "listen = [fe80::1]:53\n", "f:14: `listen`: [fe80::1]:53 can't be listened on"},
        {RESPONDER "listen = [ff02::1]:53\n", "it is multicast"},
        {RESPONDER "listen = 224.0.0.1:53\n", "it is multicast"},
        {RESPONDER "listen = 255.255.255.255:53\n", "it is broadcast"},
        {RESPONDER "listen = 192.0.2.1:0\n", "f:14: `listen`: \"192.0.2.1:0\" is not address:"},
        {RESPONDER "ns = 192.0.2.1\n",
         "f:14: `ns`: \"192.0.2.1\" is not a domain name: it is an IP"},
        {RESPONDER "ns = 2001:db8::1\n", "it is an IP address"},
        {RESPONDER "ns = *.example.net\n", "an asterisk has no place here"},
        {RESPONDER "ns = ns/1.example.net\n", "only letters, digits, - and _ are in names"},
        {RESPONDER "hostmaster = d\xc3\xa9s@example.net\n", "is not a mailbox"},
        {RESPONDER "hostmaster = dns@b\xc3\xbc.example\n", "it is not ASCII"},
        {"[responder]\nlisten = 192.0.2.53:53\nzone = pop example.net\n", "f:13: `zone`: "},
        {RESPONDER "ns = ns.a NS.A\n", "f:14: `ns`: NS.A is here twice"},
        {RESPONDER "ns = a..b\n", "f:14: `ns`: \"a..b\" is not a domain name: a label is empty"},
        {RESPONDER "hostmaster = @example.net\n", "f:14: `hostmaster`: \"@example.net\" is not a"},
        {RESPONDER "threads = 65\n", "f:14: `threads`: 65 is not within 1 to 64"},
        {RESPONDER "udp_size = 511\n", "f:14: `udp_size`: 511 is not within 512 to 1400"},
        {RESPONDER "ttl = 1500ms\n", "f:14: `ttl`: \"1500ms\" is neither seconds nor a duration"},
        {RESPONDER "ttl = 2147483648\n", "f:14: `ttl`: \"2147483648\" is neither"},
        {RESPONDER "cookie = on\n", "f:14: unknown key `cookie` in [responder]; did you mean "},
        {RESPONDER "cookie_secret_file = cookies\n", "\"cookies\" does not begin with /"},
        {RESPONDER "cookies = off\ncookie_secret_file = /a\n",
         "f:15: `cookie_secret_file` is of no use with `cookies = off`"},
        {RESPONDER "cookie_secret_credential = a/b\n", "f:14: `cookie_secret_credential`: it is a"},
        {RESPONDER "cookie_secret_file = /a\ncookie_secret_credential = a\n",
         "f:15: one of `cookie_secret_file` (line 14) and `cookie_secret_credential` is enough"},
        {"[responder]\nlisten = 192.0.2.53:53\nzone = .\n", "f:13: `zone`: a PoP does not answer"},
        {"[responder]\nlisten = 192.0.2.53:53\nns = a.b\n",
         "f:13: `ns` is of the zone, but there is no `zone`"},
        {RESPONDER "id = {pop.region}\n", "f:14: `id`: {pop.region} stands for nothing"},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, HEAD SERVICE "%s", wrong[i].text);
        assert_error(text, wrong[i].line);
    }
}

TEST(a_server_that_nobody_can_find_is_a_warning)
{
    static const char *const wildcard =
        HEAD SERVICE "[responder]\nlisten = 0.0.0.0:53 [::]:53\nzone = pop.example.net\n";
    char text[1024];
    assert_warning(wildcard, "f:13: the zone's server ns.pop.example.net. has no address");
    assert_warning(HEAD SERVICE "[responder]\nlisten = 127.0.0.1:53 [::1]:53\nzone = a.example\n",
                   "f:13: the zone's server ns.a.example. has no address");
    snprintf(text, sizeof text, "%sns = ns.example.net\n", wildcard);
    config_free(parse_good(text));
    snprintf(text, sizeof text, "%s[answer NS.pop.example.net]\na = 192.0.2.1\n", wildcard);
    config_free(parse_good(text));
}

// The record number i as `dig` shows it.
static const char *record_text(const struct dns_answer_conf *answer, size_t i)
{
    static char text[4096];
    struct dns_record record = {.type = answer->records[i].type,
                                .class = DNS_CLASS_IN,
                                .rdata_length = answer->records[i].length};
    assert_true(i < answer->record_count);
    assert_true(dns_rdata_text(answer->records[i].rdata, &record, text, sizeof text));
    return text;
}

TEST(answers_have_records_for_each_state)
{
    struct config *config =
        parse_good(HEAD SERVICE RESPONDER ANSWER "service = dns\nttl = 30s\n"
                                                 "a = 192.0.2.10 192.0.2.11\n  192.0.2.12\n"
                                                 "a.drained = 198.51.100.10\n"
                                                 "mx.withdrawn = 10 mail.example.net\n"
                                                 "mx.withdrawn = 20 mail2.example.net\n"
                                                 "[answer *.w.pop.example.net]\n"
                                                 "cname = {pop.id}.example.net\n");
    assert_int_equal(config->answer_count, 2);
    const struct dns_answer_conf *answer = &config->answers[0];
    assert_string_equal(name_text(&answer->name), "api.pop.example.net.");
    assert_int_equal(answer->service, 0);
    assert_int_equal(answer->ttl_s, 30);
    assert_int_equal(answer->record_count, 6);
    assert_int_equal(answer->records[0].state, DNS_STATE_NORMAL);
    assert_string_equal(record_text(answer, 2), "192.0.2.12");
    assert_int_equal(answer->records[3].state, DNS_STATE_DRAINED);
    assert_string_equal(record_text(answer, 3), "198.51.100.10");
    assert_int_equal(answer->records[5].state, DNS_STATE_WITHDRAWN);
    assert_string_equal(record_text(answer, 5), "20 mail2.example.net.");
    answer = &config->answers[1];
    assert_true(answer->service == SIZE_MAX);
    assert_int_equal(answer->ttl_s, 30);
    assert_string_equal(record_text(answer, 0), "fra1.example.net.");
    assert_ptr_equal(config->zone.answers, config->answers);
    config_free(config);
}

TEST(a_record_may_go_on_in_the_next_line)
{
    struct config *config =
        parse_good(HEAD SERVICE RESPONDER ANSWER "txt = \"v=DKIM1 ; k=rsa; \" ; a comment\n"
                                                 "  \"p={pop.id}\"   ; another\n"
                                                 "txt = \"a \\\" ; b\"\n"
                                                 "caa = 0 issue \"ca.example; x=y\"\n"
                                                 "https = 1 . alpn=h2,h3 port=8443\n");
    const struct dns_answer_conf *answer = &config->answers[0];
    assert_int_equal(answer->record_count, 4);
    assert_string_equal(record_text(answer, 0), "\"v=DKIM1 ; k=rsa; \" \"p=fra1\"");
    assert_string_equal(record_text(answer, 1), "\"a \\\" ; b\"");
    assert_string_equal(record_text(answer, 2), "0 issue \"ca.example; x=y\"");
    config_free(config);
}

TEST(a_quote_that_is_not_closed_hides_no_comment)
{
    struct config *config = parse_good(HEAD SERVICE RESPONDER "version = 5\" ; of disk\n");
    assert_string_equal(config->responder.version, "5\"");
    config_free(config);
}

TEST(a_long_record_fits)
{
    char text[8192];
    size_t used = (size_t)snprintf(text, sizeof text, HEAD SERVICE RESPONDER ANSWER "txt =");
    for (size_t i = 0; i < 20; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, " \"%0190zu\"\n", i);
    }
    struct config *config = parse_good(text);
    assert_int_equal(config->answers[0].record_count, 1);
    assert_int_equal(config->answers[0].records[0].length, (size_t)20 * 191);
    config_free(config);
    for (size_t i = 0; i < 2; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, " \"%0190zu\"\n", i);
    }
    assert_error(text, "f:15: `txt`: \"\"0000");
}

TEST(an_answer_is_refused_for_what_is_wrong)
{
    static const struct {
        const char *text, *line;
    } wrong[] = {
        {ANSWER, "f:14: [answer api.pop.example.net] has no record"},
        {ANSWER "ttl = 5\n", "f:14: [answer api.pop.example.net] has no record"},
        {ANSWER "a = 192.0.2.300\n", "f:15: `a`: \"192.0.2.300\": the address must be an IPv4"},
        {ANSWER "a = 192.0.2.1\n 192.0.2.1\n", "f:16: `a`: 192.0.2.1 is here twice"},
        {ANSWER "a =\n", "f:15: `a`: has no value"},
        {ANSWER "service =\na = 192.0.2.1\naaaa = ::1\na.drained = 192.0.2.2\n",
         "f:15: `service`: has no value"},
        {ANSWER "mx = mail\n", "f:15: `mx`: \"mail\": the preference must be a number"},
        {ANSWER "txt = v=DKIM1; k=rsa\n", "must be within quotes"},
        {ANSWER "txt = {pop.name}\n", "f:15: `txt`: there is {pop.id} and {pop.region}, but no"},
        {ANSWER "a.drained = 192.0.2.1\n",
         "f:15: `a.drained` follows a service, but [answer api.pop.example.net] has no `service`"},
        {ANSWER "service = dnss\na = 192.0.2.1\n",
         "f:15: `service` of [answer api.pop.example.net]: there is no service `dnss`; did you "
         "mean "
         "`dns`?"},
        {ANSWER "a.draned = 192.0.2.1\na = 192.0.2.1\n", "did you mean `a.drained`?"},
        {ANSWER "a.down = 192.0.2.1\n",
         "f:15: unknown key `a.down` in [answer] (after the dot: deg"},
        {ANSWER "service = dns\na.isolated = 192.0.2.1\n", "degraded, drained or withdrawn"},
        {ANSWER "a.normal = 192.0.2.1\n", "the normal state is without a dot"},
        {ANSWER "cname = API.pop.example.net\n", "CNAME leads back to this name, in a circle"},
        {ANSWER "service = dns\na = 192.0.2.1\ncname.drained = api.pop.example.net\n",
         "CNAME.drained leads back to this name"},
        {"[answer *.w.pop.example.net]\ncname = a.w.pop.example.net\n", "leads back to this name"},
        {ANSWER "ptr = a.b\na = 192.0.2.1\n", "f:15: unknown key `ptr` in [answer]"},
        {ANSWER "a = 192.0.2.1\nttl = 1\nttl = 2\n", "f:17: `ttl` is set already, in line 16"},
        {"[answer a..b]\na = 192.0.2.1\n", "f:14: [answer a..b]: a label is empty"},
        {"[answer a b.pop.example.net]\na = 192.0.2.1\n",
         "f:14: [answer a b.pop.example.net]: only letters"},
        {"[answer \xc3\xbc.pop.example.net]\na = 192.0.2.1\n", "it is not ASCII"},
        {ANSWER "cname = 192.0.2.1\n", "f:15: `cname`: \"192.0.2.1\": it is an IP address"},
        {ANSWER "mx = 10 2001:db8::1\n", "f:15: `mx`: \"10 2001:db8::1\": it is an IP address"},
        {ANSWER "srv = 1 2 3 *.example.net\n", "an asterisk has no place here"},
        {ANSWER "svcb = 1 a$.example.net\n", "f:15: `svcb`: \"1 a$.example.net\": only letters"},
        {"[answer]\na = 192.0.2.1\n", "f:14: [answer] needs a name: [answer NAME]"},
        {"[answer api.example.net]\na = 192.0.2.1\n", "f:14: [answer api.example.net]: "},
        {"[answer id.pop.example.net]\na = 192.0.2.1\n", "f:14: [answer id.pop.example.net]: "},
        {"[answer a.*.pop.example.net]\na = 192.0.2.1\n", "f:14: [answer a.*.pop.example.net]: "},
        {ANSWER "a = 192.0.2.1\ncname = a.b\n", "f:14: [answer api.pop.example.net]: "},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, HEAD SERVICE RESPONDER "%s", wrong[i].text);
        assert_error(text, wrong[i].line);
    }
    assert_error(HEAD SERVICE ANSWER "a = 192.0.2.1\n",
                 "f:11: [answer api.pop.example.net] lies in no zone: there is no [responder]");
}

TEST(answers_are_wrong_together)
{
    assert_null(parse(HEAD SERVICE RESPONDER ANSWER "a = 192.0.2.1\n"
                                                    "[answer API.pop.example.net]\na = x\n"
                                                    "[answer other.example.net]\na = 192.0.2.1\n"));
    assert_non_null(strstr(told, "f:16: [answer API.pop.example.net]: "));
    assert_non_null(strstr(told, "f:17: `a`: \"x\": "));
    assert_non_null(strstr(told, "f:18: [answer other.example.net]: "));
}

TEST(a_service_called_like_a_name_of_ours_is_refused)
{
    assert_error(HEAD "[service whoami]\nprefixes = 192.0.2.53/32\nrequire = p\n" RESPONDER,
                 "f:13: [responder]: ");
    config_free(parse_good(HEAD "[service whoami]\nprefixes = 192.0.2.53/32\nrequire = p\n"
                                "[responder]\nlisten = 192.0.2.53:53\n"));
}

TEST(names_that_lead_to_each_other_are_refused_all)
{
    assert_null(parse(HEAD SERVICE RESPONDER ANSWER
                      "service = dns\ncname = b.pop.example.net\n"
                      "[answer b.pop.example.net]\nservice = dns\na = 192.0.2.1\n"
                      "cname.drained = c.pop.example.net\n"
                      "[answer c.pop.example.net]\ncname = api.pop.example.net\n"));
    assert_non_null(strstr(told, "f:17: [answer b.pop.example.net]: CNAME.drained leads back"));
    // In two states that are never there at once they do no harm.
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER
                           "service = dns\na = 192.0.2.1\ncname.drained = b.pop.example.net\n"
                           "[answer b.pop.example.net]\nservice = dns\na.drained = 192.0.2.1\n"
                           "cname = api.pop.example.net\n"));
}

TEST(a_name_that_is_not_in_the_zone_is_a_warning)
{
    assert_warning(HEAD SERVICE RESPONDER ANSWER "mx = 5 mail.pop.example.net\n",
                   "f:14: [answer api.pop.example.net]: MX leads to mail.pop.example.net., which");
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER
                           "mx = 1 ns.pop.example.net\nmx = 2 a.w.pop.example.net\n"
                           "mx = 3 mail.example.net\nmx = 4 dns.pop.example.net\n"
                           "https = 0 whoami.pop.example.net\nsrv = 1 2 3 .\n"
                           "[answer *.w.pop.example.net]\na = 192.0.2.1\n"));
    // A name between takes what is below it from the wildcard (RFC 4592).
    assert_warning(HEAD SERVICE RESPONDER ANSWER "mx = 2 b.a.w.pop.example.net\n"
                                                 "[answer *.w.pop.example.net]\na = 192.0.2.1\n"
                                                 "[answer a.w.pop.example.net]\na = 192.0.2.1\n",
                   "MX leads to b.a.w.pop.example.net.");
}

TEST(a_record_behind_a_cname_is_a_warning)
{
    assert_warning(HEAD SERVICE RESPONDER ANSWER "service = dns\ncname = a.b\ntxt.drained = x\n",
                   "f:14: [answer api.pop.example.net]: TXT.drained is never said");
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER
                           "service = dns\ncname = a.b\n"
                           "txt.drained = x\na.drained = 192.0.2.1\n"));
}

TEST(a_state_that_forgets_a_family_is_a_warning)
{
    assert_warning(HEAD SERVICE RESPONDER ANSWER "service = dns\na = 192.0.2.1\naaaa = ::1\n"
                                                 "aaaa.drained = ::2\n",
                   "f:14: [answer api.pop.example.net] has `aaaa.drained` but no `a.drained`");
    assert_warning(HEAD SERVICE RESPONDER ANSWER "service = dns\na = 192.0.2.1\naaaa = ::1\n"
                                                 "a.withdrawn = 192.0.2.2\n",
                   "f:14: [answer api.pop.example.net] has `a.withdrawn` but no `aaaa.withdrawn`");
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER "service = dns\na = 192.0.2.1\n"
                                                         "a.drained = 192.0.2.2\n"));
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER "service = dns\na = 192.0.2.1\n"
                                                         "aaaa = ::1\ncname.drained = a.b\n"));
}

TEST(every_fallback_parses)
{
    // key_set_fallbacks() asserts it.
    struct probe_conf probe = {0};
    key_set_fallbacks(probe_common_keys, &probe);
    for (size_t i = 0; probe_types[i]; i++) {
        void *options = calloc(1, probe_types[i]->options_size + 1);
        assert_non_null(options);
        key_set_fallbacks(probe_types[i]->keys, options);
        free(options);
    }
}

static char *manual_text(void)
{
    static char manual[1 << 17];
    FILE *file = fopen("docs/popgate.conf.5", "re");
    assert_non_null(file);
    manual[fread(manual, 1, sizeof manual - 1, file)] = '\0';
    fclose(file);
    return manual;
}

static void assert_in_manual(const char *manual, const struct key *table)
{
    char item[80];
    for (const struct key *key = table; key && key->name; key++) {
        if (strchr(key->name, '.')) {
            continue; // a variant: told of once for all
        }
        snprintf(item, sizeof item, ".It Cm %s", key->name);
        const char *found = strstr(manual, item);
        if (!found) {
            print_message("popgate.conf.5 does not tell of `%s`\n", key->name);
        }
        assert_non_null(found);
    }
}

TEST(the_manual_tells_of_every_key)
{
    const char *manual = manual_text();
    for (const struct section_kind *kind = section_kinds; kind->word; kind++) {
        for (size_t i = 0; i < CONFIG_TABLES_MAX; i++) {
            assert_in_manual(manual, kind->tables[i]);
        }
    }
    for (size_t i = 0; probe_types[i]; i++) {
        assert_in_manual(manual, probe_types[i]->keys);
    }
}
