// popgate.conf as a file: what is read, what is refused, and what is said of it.
#include "tests/unit/config_fixture.h"

#include "controller/config/document.h"

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
    char text[4096];
    // A prefix list that, cut, would still be a good one.
    snprintf(text, sizeof text, HEAD "%s%1250s%s\n 192.0.2.60/32\nrequire = p\n",
             "[service dns]\nprefixes = 10.0.0.0/8\nprefixes = 192.0.2.53/32 ", "", "192.0.2.5/32");
    assert_null(parse(text));
    assert_int_equal(errors, 1);
    assert_non_null(strstr(told, "f:10: this line is too long: 1287 bytes, at most 1023"));
    snprintf(text, sizeof text, HEAD SERVICE "# %1400s\n", "long comment");
    config_free(parse_good(text));
}

// URLs and texts of the length that the manual promises did not fit a line.
TEST(a_line_has_room_for_the_longest_value)
{
    char text[4096];
    snprintf(text, sizeof text,
             "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n"
             "[probe p]\ntype = http\nurl = http://192.0.2.80/%0490d\n" SERVICE
             "[responder]\nlisten = 192.0.2.54:53\nzone = example.net\n"
             "[answer a.example.net]\ntxt = \"%0255d\"\n",
             0, 0);
    config_free(parse_good(text));
    snprintf(text, sizeof text,
             "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n"
             "[probe p]\ntype = http\nurl = http://192.0.2.80/%0500d\n" SERVICE,
             0);
    assert_error(text, "f:7: `url`: \"http://192.0.2.80/000");
    assert_non_null(strstr(told, "bytes, at most 511 are allowed"));
}

static void expect_whole(const char *key, const char *value, const char *more)
{
    char text[4096];
    struct document document;
    struct mistakes mistakes = {0};
    snprintf(text, sizeof text, "[s]\n%s= %s \t ; comment\n  %s\nlast = 1\n", key, value, more);
    document_read(&document, text, &mistakes);
    assert_int_equal(mistakes.errors, 0);
    assert_int_equal(document.sections[0].entry_count, 3);
    const struct entry *entries = document.sections[0].entries;
    assert_string_equal(entries[0].value, value);
    assert_string_equal(entries[1].value, more);
    assert_string_equal(entries[1].key, entries[0].key);
    assert_true(entries[1].continued);
    assert_string_equal(entries[2].value, "1");
    document_free(&document);
}

// inih has a buffer of 200 bytes. Wherever it ends, nothing is lost that inih strips, or would take
// for a comment.
TEST(a_long_line_is_read_as_a_short_one)
{
    static const char *const fillings[] = {"\"a; #b\" [c]=:  ", "a\t\t\tb  c   d", "#;a", "=",
                                           "\xc3\xa4\xe2\x82\xac"};
    for (size_t i = 0; i < sizeof fillings / sizeof *fillings; i++) {
        for (size_t shift = 1; shift < 60; shift++) {
            char value[900];
            size_t length = shift;
            memset(value, 'x', length);
            while (length + strlen(fillings[i]) + 2 < sizeof value) {
                memcpy(value + length, fillings[i], strlen(fillings[i]));
                length += strlen(fillings[i]);
            }
            memcpy(value + length, "y", sizeof "y");
            expect_whole("key ", value, "more");
            expect_whole("key", "value", value);
        }
    }
}

TEST(what_inih_has_no_room_for_is_refused)
{
    char text[1024];
    snprintf(text, sizeof text,
             HEAD "[service dns]\nprefixes = 192.0.2.53/32 %300s 192.0.2.54/32\n", "");
    assert_null(parse(text));
    assert_non_null(strstr(told, "f:9: this line has too long a key, or too much white space"));
    snprintf(text, sizeof text, HEAD "[service dns]\n%0300d = 192.0.2.53/32\n", 0);
    assert_null(parse(text));
    assert_non_null(strstr(told, "f:9: this line has too long a key, or too much white space"));
}

TEST(a_long_section_name_is_whole)
{
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

// ---- [responder] and [answer]

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
    for (const struct key *key = table; key != NULL && key->name != NULL; key++) {
        if (strchr(key->name, '.') != NULL) {
            continue; // a variant: told of once for all
        }
        snprintf(item, sizeof item, ".It Cm %s", key->name);
        const char *found = strstr(manual, item);
        if (found == NULL) {
            print_message("popgate.conf.5 does not tell of `%s`\n", key->name);
        }
        assert_non_null(found);
    }
}

TEST(the_manual_tells_of_every_key)
{
    const char *manual = manual_text();
    for (const struct section_kind *kind = section_kinds; kind->word != NULL; kind++) {
        for (size_t i = 0; i < CONFIG_TABLES_MAX; i++) {
            assert_in_manual(manual, kind->tables[i]);
        }
    }
    for (size_t i = 0; probe_types[i] != NULL; i++) {
        assert_in_manual(manual, probe_types[i]->keys);
    }
}
