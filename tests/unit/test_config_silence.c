// What was taken in silence, and is not what whoever wrote it meant: told, with what to write.
#include "tests/unit/config_fixture.h"

#define HTTP                                                                                       \
    "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n"                                                 \
    "[probe p]\ntype = http\nurl = http://192.0.2.80/\n"

// `body_contains = "ok"` withdrew a healthy service.
TEST(quotes_around_a_whole_text_are_said_to_be_part_of_it)
{
    assert_warning(HTTP "body_contains = \"ok\"\n" SERVICE,
                   "f:8: `body_contains`: the quotes of \"ok\" are part of the text");
    config_free(parse_good(HTTP "body_contains = \"status\":\"ok\"\n" SERVICE));
    config_free(parse_good(HTTP "body_contains = a \"quoted\" word\n" SERVICE));
}

TEST(quotes_are_how_dns_writes_a_text)
{
    config_free(parse_good("[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n"
                           "[probe p]\ntype = dns\ntarget = 192.0.2.53:53\nqname = id.server\n"
                           "class = CH\nqtype = TXT\nanswer = \"fra1\"\n" SERVICE));
}

TEST(prefixes_that_are_never_announced_are_refused)
{
    static const char *const prefixes[] = {
        "127.0.0.0/8", "127.0.0.1/32",        "224.0.0.0/4", "239.1.2.3/32",
        "240.0.0.0/4", "255.255.255.255/32",  "0.0.0.0/8",   "fe80::/10",
        "fe80::1/128", "169.254.10.0/24",     "ff02::1/128", "::1/128",
        "::/128",      "::ffff:192.0.2.1/128"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s[service dns]\nprefixes = %s\nrequire = p\n", HEAD,
                 prefixes[i]);
        assert_error(text, "which is never announced");
    }
    config_free(parse_good(HEAD "[service dns]\nprefixes = 10.0.0.0/8 fc00::/7 128.0.0.0/1\n"
                                "require = p\n"));
}

TEST(a_state_directory_that_a_reboot_empties_is_a_warning)
{
    assert_warning("[pop]\nid = fra1\nstate_dir = /run/popgate-state\n[bird]\nlocal_as = 1\n",
                   "f:3: `state_dir`: a reboot empties /run");
    config_free(parse_good("[pop]\nid = fra1\nstate_dir = /runaway\n[bird]\nlocal_as = 64512\n"
                           "[probe p]\ntype = tcp\ntarget = 192.0.2.53:53\n" SERVICE));
}

TEST(a_drain_that_would_be_preferred_is_a_warning)
{
    assert_warning(HEAD SERVICE "local_pref = 90\ndrain_local_pref = 95\n",
                   "`drain_local_pref` of [service dns] is higher than `local_pref`, 90");
    assert_warning(HEAD SERVICE "drain_local_pref = 101\n", "`local_pref`, 100: a drain would");
    config_free(parse_good(HEAD SERVICE "drain_local_pref = 100\n"));
}

TEST(what_is_required_cannot_only_depreference)
{
    assert_warning(HEAD SERVICE "degrade = p\n",
                   "f:11: `degrade`: probe `p` is in `require` too, so that it withdraws");
    config_free(parse_good(HEAD "[service dns]\nprefixes = 192.0.2.53/32\nany = p\n"
                                "degrade = p\n"));
}

TEST(a_timeout_far_above_the_interval_is_a_warning)
{
    assert_warning(HEAD "interval = 100ms\ntimeout = 1100ms\n" SERVICE,
                   "timeout is more than ten times interval");
    config_free(parse_good(HEAD "interval = 100ms\ntimeout = 1s\n" SERVICE));
}

TEST(a_list_with_commas_is_told_how_lists_are_written)
{
    static const char advice[] = "the words of a list stand between white space, not commas";
    assert_error(HEAD "[service dns]\nprefixes = 192.0.2.1/32, 192.0.2.2/32\nrequire = p\n",
                 advice);
    assert_error(HEAD "[service dns]\nprefixes = 192.0.2.1/32\nrequire = p,\n", advice);
    assert_error(HEAD SERVICE "communities = 64512:1,64512:2\n", advice);
}

TEST(a_host_name_as_a_target_is_told_that_names_are_not_looked_up)
{
    assert_error("[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n"
                 "[probe p]\ntype = tcp\ntarget = dns.example.net:53\n" SERVICE,
                 "names are not looked up here");
}

TEST(another_case_is_near)
{
    assert_error("[POP]\nid = fra1\n[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n",
                 "f:1: unknown section [POP]; did you mean [pop]?");
    assert_error(HEAD SERVICE "HOLD_DOWN = 1s\n", "did you mean `hold_down`?");
}

TEST(what_is_written_elsewhere_is_told_what_to_write_here)
{
    assert_error("include /etc/popgate/conf.d/*\n[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n",
                 "f:1: popgate.conf is one file, and includes none");
    assert_error("  [pop]\n[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n",
                 "sections and keys begin at the beginning of a line");
    assert_error(HEAD "client_secret = hunter2\n" SERVICE, "`secret_file` names a file");
    assert_error(HEAD "port = 53\n" SERVICE, "write `target = address:port`");
}
