// popgate.conf: probes, services and what BIRD is to be told.
#include "tests/unit/config_fixture.h"

#include <stdlib.h>
#include <unistd.h>

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
    for (size_t i = 0; lines[i] != NULL; i++) {
        if (strstr(told, lines[i]) == NULL) {
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

TEST(what_does_nothing_beside_a_token_that_is_given_is_a_warning)
{
    static const char *const cases[][2] = {
        {"scope = x", "scope is of no use with token_file"},
        {"client_id = x", "nobody is asked as a client"},
    };
    char text[1024];
    char token[] = "/tmp/popgate-test-token-XXXXXX";
    int fd = mkstemp(token); // readable by us only
    assert_int_equal(write(fd, "a.b.c\n", 6), 6);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "%stype = token\njwks_url = https://192.0.2.1/k\n%s\ntoken_file = %s\n",
                 HEAD SERVICE PROBES_OF_Q, cases[i][0], token);
        assert_warning(text, cases[i][1]);
        assert_int_equal(warnings, 1);
    }
    close(fd);
    unlink(token);
}

TEST(what_does_nothing_in_a_probe_is_a_warning)
{
    static const struct {
        const char *keys, *warning;
    } cases[] = {
        {"type = tls\ntarget = [::1]:1\nca = /nonexistent/ca.pem\n",
         "ca /nonexistent/ca.pem: No such file"},
        {"type = token\ntoken_url = https://192.0.2.1/t\nclient_id = c\n"
         "secret_file = /nonexistent/secret\njwks_url = https://192.0.2.1/k\n",
         "secret_file /nonexistent/secret: No such file"},
        {"type = http\nurl = http://192.0.2.1/\nmin_days = 7\n",
         "min_days is of no use with http:"},
        {"type = tcp\ntarget = [::1]:1\nfast_interval = 2s\n", "fast_interval is longer than"},
        {"type = dns\ntarget = [::1]:1\nqname = a.\nanswer = ::1\nqtype = AAAA\nrcode = NXDOMAIN\n",
         "rcode lacks NOERROR"},
        {"type = exec\ncommand = /nonexistent/check -H x\n", "command /nonexistent/check: No such"},
        {"type = exec\ncommand = popgate-nonexistent\n", "popgate-nonexistent is not in PATH"},
        {"type = token\njwks_url = https://192.0.2.1/k\ntoken_file = /dev/null\n",
         "token_file /dev/null: it is not a regular file"},
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

TEST(lists_have_an_end)
{
    char *text = malloc(200000);
    assert_non_null(text);
    size_t used = (size_t)sprintf(text, "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\nsessions =");
    for (unsigned i = 0; i < 1001; i++) {
        used += (size_t)sprintf(text + used, "\n s%u", i);
    }
    assert_error(text, "f:1006: `sessions`: more than 1000 sessions");
    used = (size_t)sprintf(text, HEAD SERVICE "[responder]\nlisten = 127.0.0.1:53\nzone = example\n"
                                              "ns = ns.example.net\n[answer x.example]\na =");
    for (unsigned i = 0; i < 4097; i++) {
        used += (size_t)sprintf(text + used, "\n 10.0.%u.%u", i >> 8, i & 0xff);
    }
    assert_null(parse(text));
    assert_non_null(strstr(told, "`a`: more than 4096 records"));
    free(text);
}
