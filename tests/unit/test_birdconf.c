// BIRD's include file: what it says, that only slots change, and that a file comes back as it was.
#include "base/file.h"

#include "controller/config/load.h"
#include "controller/daemon/birdconf_file.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAD                                                                                       \
    "[pop]\nid = fra1\n[bird]\nlocal_as = 4200000000\n"                                            \
    "[probe p]\ntype = tcp\ntarget = 192.0.2.53:53\n"
#define SERVICE "[service my-dns]\nprefixes = 192.0.2.53/32\nrequire = p\n"
#define EVERYTHING                                                                                 \
    HEAD "[service my-dns]\nprefixes = 192.0.2.53/32 2001:db8::53/128 198.51.100.0/24\n"           \
         "require = p\ncommunities = 64512:1 no-peer\nlarge_communities = 4200000000:1:2\n"        \
         "ext_communities = rt:64512:4200000000 ro:4200000000:10 generic:0x43000000:0x1\n"         \
         "med = 4294967295\nlocal_pref = 50\nprepend = 16\ndrain_med = 0\ndrain_local_pref = 0\n"  \
         "[service b]\nprefixes = 203.0.113.0/24\nrequire = p\n"

static char error[ERROR_MAX];

static void ignore(void *arg, bool is_error, const char *line)
{
    (void)arg;
    (void)is_error;
    print_message("%s\n", line);
}

static struct birdconf *render(const char *text)
{
    struct config *config = config_parse("f", text, ignore, NULL);
    assert_non_null(config);
    struct birdconf *conf = birdconf_render(config);
    assert_non_null(conf);
    config_free(config);
    return conf;
}

static void assert_says(const struct birdconf *conf, const char *text)
{
    if (strstr(conf->text, text) == NULL) {
        print_message("%s\nhas no: %s\n", conf->text, text);
    }
    assert_non_null(strstr(conf->text, text));
}

TEST(a_service_has_a_primary_and_a_twin_of_lower_preference)
{
    struct birdconf *conf = render(HEAD SERVICE);
    char text[1024];
    snprintf(text, sizeof text,
             "\nprotocol static popgate_my_dns_v4 {\n"
             "    description \"popgate %s\";\n"
             "    disabled on ;\n"
             "    ipv4 {\n"
             "        table popgate4;\n"
             "        preference 260;\n"
             "        import filter {\n"
             "            accept;\n"
             "        };\n"
             "    };\n"
             "    route 192.0.2.53/32 blackhole;\n"
             "}\n",
             conf->revision);
    assert_says(conf, text);
    snprintf(text, sizeof text,
             "\nprotocol static popgate_my_dns_v4_drain {\n"
             "    description \"popgate %s\";\n"
             "    disabled on ;\n"
             "    ipv4 {\n"
             "        table popgate4;\n"
             "        preference 250;\n"
             "        import filter {\n"
             "            bgp_community.add((65535, 0));\n"
             "            accept;\n"
             "        };\n"
             "    };\n"
             "    route 192.0.2.53/32 blackhole;\n"
             "}\n",
             conf->revision);
    assert_says(conf, text);
    birdconf_free(conf);
}

TEST(only_families_in_use_are_there)
{
    struct birdconf *conf = render(HEAD SERVICE);
    assert_says(conf, "\nipv4 table popgate4;\n");
    assert_says(conf, "    table 'master4';\n    peer table popgate4;\n    import all;\n"
                      "    export none;\n");
    assert_null(strstr(conf->text, "ipv6"));
    assert_null(strstr(conf->text, "popgate6"));
    birdconf_free(conf);
    conf = render(EVERYTHING);
    assert_says(conf, "\nipv6 table popgate6;\n");
    assert_says(conf, "protocol pipe popgate6_pipe {\n");
    birdconf_free(conf);
}

TEST(attributes_are_written_for_the_filter)
{
    struct birdconf *conf = render(EVERYTHING);
    assert_says(conf, "            bgp_community.add((64512, 1));\n"
                      "            bgp_community.add((65535, 65284));\n"
                      "            bgp_large_community.add((4200000000, 1, 2));\n"
                      "            bgp_ext_community.add((rt, 64512, 4200000000));\n"
                      "            bgp_ext_community.add((ro, 4200000000, 10));\n"
                      "            bgp_ext_community.add((generic, 0x43000000, 0x1));\n"
                      "            bgp_med = 4294967295;\n"
                      "            bgp_local_pref = 50;\n"
                      "            bgp_path.prepend(4200000000);\n"
                      "            bgp_path.prepend(4200000000);\n");
    assert_says(conf, "            bgp_med = 0;\n            bgp_local_pref = 0;\n");
    birdconf_free(conf);
}

TEST(slots_are_sorted_and_know_their_routes)
{
    static const struct {
        const char *protocol;
        size_t routes;
    } wanted[] = {{"popgate_b_v4", 1},      {"popgate_b_v4_drain", 1},
                  {"popgate_my_dns_v4", 2}, {"popgate_my_dns_v4_drain", 2},
                  {"popgate_my_dns_v6", 1}, {"popgate_my_dns_v6_drain", 1}};
    struct birdconf *conf = render(EVERYTHING);
    assert_int_equal(conf->slot_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(conf->slots[i].protocol, wanted[i].protocol);
        assert_int_equal(conf->slots[i].routes, wanted[i].routes);
        assert_false(birdconf_get(conf, wanted[i].protocol));
    }
    birdconf_free(conf);
}

TEST(switching_changes_one_word_and_its_way_back)
{
    struct birdconf *conf = render(EVERYTHING);
    char *before = strdup(conf->text);
    assert_non_null(before);
    assert_true(birdconf_set(conf, "popgate_my_dns_v6", true));
    assert_false(birdconf_set(conf, "popgate_my_dns_v6", true));
    assert_true(birdconf_get(conf, "popgate_my_dns_v6"));
    assert_false(birdconf_get(conf, "popgate_my_dns_v6_drain"));
    size_t different = 0;
    for (size_t i = 0; i < conf->length; i++) {
        different += conf->text[i] != before[i];
    }
    assert_int_equal(different, 2); // "on " and "off"
    assert_int_equal(strlen(conf->text), conf->length);
    assert_true(birdconf_set(conf, "popgate_my_dns_v6", false));
    assert_string_equal(conf->text, before);
    free(before);
    birdconf_free(conf);
}

TEST(a_protocol_that_is_not_there_is_off_and_stays_so)
{
    struct birdconf *conf = render(HEAD SERVICE);
    char long_name[200];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_false(birdconf_set(conf, "popgate_other_v4", true));
    assert_false(birdconf_get(conf, "popgate_other_v4"));
    assert_false(birdconf_set(conf, long_name, true));
    birdconf_free(conf);
}

TEST(the_revision_is_of_everything_but_the_state)
{
    struct birdconf *first = render(HEAD SERVICE);
    struct birdconf *same = render(HEAD SERVICE "grace = 1s ; nothing to BIRD\n");
    struct birdconf *other = render(HEAD SERVICE "med = 1\n");
    assert_int_equal(strlen(first->revision), 16);
    assert_string_equal(first->revision, same->revision);
    assert_string_equal(first->text, same->text);
    assert_string_not_equal(first->revision, other->revision);
    birdconf_free(first);
    birdconf_free(same);
    birdconf_free(other);
}

TEST(a_file_comes_back_as_it_was)
{
    struct birdconf *conf = render(EVERYTHING);
    birdconf_set(conf, "popgate_b_v4", true);
    struct birdconf *back = birdconf_parse(conf->text, conf->length, error);
    assert_non_null(back);
    assert_string_equal(back->revision, conf->revision);
    assert_string_equal(back->text, conf->text);
    assert_int_equal(back->slot_count, conf->slot_count);
    assert_memory_equal(back->slots, conf->slots, conf->slot_count * sizeof *conf->slots);
    assert_true(birdconf_get(back, "popgate_b_v4"));
    assert_false(birdconf_get(back, "popgate_b_v4_drain"));
    birdconf_free(back);
    birdconf_free(conf);
}

TEST(a_file_with_no_service_comes_back_too)
{
    struct config *config =
        config_parse("f", "[pop]\nid = x\n[bird]\nlocal_as = 1\n", ignore, NULL);
    assert_non_null(config);
    struct birdconf *conf = birdconf_render(config);
    assert_non_null(conf);
    assert_int_equal(conf->slot_count, 0);
    assert_false(birdconf_set(conf, "popgate_x_v4", true));
    struct birdconf *back = birdconf_parse(conf->text, conf->length, error);
    assert_non_null(back);
    birdconf_free(back);
    birdconf_free(conf);
    config_free(config);
}

TEST(a_file_edited_anywhere_is_refused)
{
    struct birdconf *conf = render(HEAD SERVICE);
    for (size_t i = 0; i < conf->length; i++) {
        char was = conf->text[i];
        conf->text[i] = (char)(was == 'x' ? 'y' : 'x');
        struct birdconf *back = birdconf_parse(conf->text, conf->length, error);
        if (back != NULL) {
            print_message("not noticed at byte %zu: '%c'\n", i, was);
        }
        assert_null(back);
        assert_true(error[0] != '\0');
        conf->text[i] = was;
    }
    birdconf_free(conf);
}

TEST(a_file_cut_off_is_refused)
{
    struct birdconf *conf = render(HEAD SERVICE);
    for (size_t length = 0; length < conf->length; length++) {
        assert_null(birdconf_parse(conf->text, length, error));
        assert_true(error[0] != '\0');
    }
    birdconf_free(conf);
}

TEST(a_file_of_somebody_else_is_refused)
{
    static const char text[] = "protocol static x {\n    disabled off;\n}\n";
    assert_null(birdconf_parse(text, sizeof text - 1, error));
    assert_non_null(strstr(error, "not a file that popgated wrote"));
}

static char directory[] = "/tmp/popgate_test_XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    memcpy(directory, "/tmp/popgate_test_XXXXXX", sizeof directory); // mkdtemp filled it in
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    birdconf_save(directory, NULL, 0, error);
    return rmdir(directory);
}

#define DIRECTORY_TEST(name) TEST_WITH(name, make_directory, remove_directory)

DIRECTORY_TEST(what_is_saved_is_read_back)
{
    struct birdconf *conf = render(EVERYTHING);
    birdconf_set(conf, "popgate_b_v4", true);
    assert_int_equal(birdconf_save(directory, conf->text, conf->length, error), 0);
    struct birdconf *back = birdconf_read(directory, error);
    assert_non_null(back);
    assert_string_equal(back->text, conf->text);
    birdconf_free(back);
    birdconf_free(conf);
}

DIRECTORY_TEST(a_saved_file_can_be_read_by_bird_whatever_the_umask)
{
    struct stat stat_of;
    char path[64];
    struct birdconf *conf = render(HEAD SERVICE);
    mode_t mask = umask(077);
    assert_int_equal(birdconf_save(directory, conf->text, conf->length, error), 0);
    umask(mask);
    snprintf(path, sizeof path, "%s/bird.conf", directory);
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0644);
    birdconf_free(conf);
}

DIRECTORY_TEST(no_file_is_no_error)
{
    assert_null(birdconf_read(directory, error));
    assert_string_equal(error, "");
    assert_int_equal(birdconf_save(directory, NULL, 0, error), 0);
}

DIRECTORY_TEST(a_removed_file_is_gone)
{
    assert_int_equal(birdconf_save(directory, "x", 1, error), 0);
    assert_null(birdconf_read(directory, error));
    assert_non_null(strstr(error, "not a file that popgated wrote"));
    assert_int_equal(birdconf_save(directory, NULL, 0, error), 0);
    assert_null(birdconf_read(directory, error));
    assert_string_equal(error, "");
}

DIRECTORY_TEST(a_failed_save_says_what_and_why_and_leaves_the_old_file)
{
    char path[64];
    char expected[128];
    snprintf(path, sizeof path, "%s/none", directory);
    snprintf(expected, sizeof expected, "can't create %s/bird.conf.tmp: No such file or directory",
             path);
    assert_int_equal(birdconf_save(path, "x", 1, error), -ENOENT);
    assert_string_equal(error, expected);

    struct birdconf *conf = render(HEAD SERVICE);
    assert_int_equal(birdconf_save(directory, conf->text, conf->length, error), 0);
    snprintf(path, sizeof path, "%s/bird.conf.tmp", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(birdconf_save(directory, "x", 1, error), -EEXIST);
    assert_int_equal(rmdir(path), 0);
    struct birdconf *back = birdconf_read(directory, error);
    assert_non_null(back);
    birdconf_free(back);
    birdconf_free(conf);
}

static void put_file(const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/bird.conf", directory);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *expected)
{
    char path[64];
    char *text;
    size_t length;
    snprintf(path, sizeof path, "%s/bird.conf", directory);
    assert_int_equal(file_read(path, 65536, &text, &length, error), 0);
    assert_string_equal(text, expected);
    free(text);
}

static int patch(const struct birdconf *conf, const char *protocol)
{
    struct birdconf_words words = {0};
    size_t slot = birdconf_slot_index(conf, protocol);
    assert_true(slot < conf->slot_count);
    birdconf_words_add(&words, conf, &slot, 1);
    return birdconf_patch(&words, directory);
}

// NULL: there is no file.
static bool is_saved(const struct birdconf *conf)
{
    return birdconf_is(directory, birdconf_print(conf != NULL ? conf->text : NULL,
                                                 conf != NULL ? conf->length : 0));
}

DIRECTORY_TEST(a_patch_switches_in_the_file_what_it_names_and_nothing_else)
{
    struct birdconf *conf = render(EVERYTHING);
    birdconf_set(conf, "popgate_my_dns_v4", true);
    birdconf_set(conf, "popgate_b_v4", true);
    assert_int_equal(birdconf_save(directory, conf->text, conf->length, error), 0);
    birdconf_set(conf, "popgate_my_dns_v4", false);
    birdconf_set(conf, "popgate_b_v4", false);
    assert_int_equal(patch(conf, "popgate_my_dns_v4"), 0);
    assert_false(is_saved(conf)); // the other is as it was
    struct birdconf *back = birdconf_read(directory, error);
    assert_non_null(back);
    assert_false(birdconf_get(back, "popgate_my_dns_v4"));
    assert_true(birdconf_get(back, "popgate_b_v4"));
    birdconf_free(back);
    assert_int_equal(patch(conf, "popgate_b_v4"), 0);
    assert_true(is_saved(conf));
    birdconf_free(conf);
}

DIRECTORY_TEST(somebody_elses_file_is_not_patched)
{
    struct birdconf *conf = render(EVERYTHING);
    struct birdconf *former = render(HEAD SERVICE);
    char *theirs = strdup(conf->text);
    assert_non_null(theirs);
    memset(theirs, '#', strchr(theirs, '\n') - theirs);
    put_file(theirs);
    assert_int_equal(patch(conf, conf->slots[0].protocol), -ESTALE);
    assert_file(theirs);
    put_file(former->text); // ours, but the slots are elsewhere
    assert_int_equal(patch(conf, conf->slots[0].protocol), -ESTALE);
    assert_file(former->text);
    put_file("");
    assert_int_equal(patch(conf, conf->slots[0].protocol), -ESTALE);
    assert_file("");
    free(theirs);
    birdconf_free(former);
    birdconf_free(conf);
}

DIRECTORY_TEST(only_a_file_of_just_this_text_is_as_saved)
{
    struct birdconf *conf = render(HEAD SERVICE);
    assert_true(is_saved(NULL));
    assert_false(is_saved(conf));
    put_file(conf->text);
    assert_true(is_saved(conf));
    assert_false(is_saved(NULL));
    conf->text[conf->length - 1] ^= 1;
    assert_false(is_saved(conf));
    conf->text[conf->length - 1] ^= 1;
    conf->length--;
    assert_false(is_saved(conf));
    conf->length++;
    birdconf_free(conf);
}

// ---- BIRD itself says whether it can read what we write

// Of bird.conf with our line for the directory; skipped where there is no BIRD.
static bool bird_reads(const char *runtime_dir)
{
    char path[64], line[BIRDCONF_LINE_MAX];
    const char *named = getenv("BIRD");
    const char *program = named != NULL ? named : "/usr/sbin/bird";
    if (access(program, X_OK) != 0) {
        skip();
    }
    snprintf(path, sizeof path, "%s/main.conf", directory);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "router id 192.0.2.1;\nprotocol device {}\n%s\n",
            birdconf_include_line(runtime_dir, line));
    assert_int_equal(fclose(file), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(program, "bird", "-p", "-c", path, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(path);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 0;
}

DIRECTORY_TEST(bird_accepts_it)
{
    struct birdconf *conf = render(EVERYTHING);
    for (size_t i = 0; i < conf->slot_count; i += 2) {
        birdconf_set(conf, conf->slots[i].protocol, true);
    }
    assert_int_equal(birdconf_save(directory, conf->text, conf->length, error), 0);
    birdconf_free(conf);
    assert_true(bird_reads(directory));
    assert_int_equal(birdconf_save(directory, "nonsense;\n", 10, error), 0);
    assert_false(bird_reads(directory)); // it is not just passed over
}

DIRECTORY_TEST(bird_starts_where_the_directory_is_missing)
{
    char gone[64];
    snprintf(gone, sizeof gone, "%s/away/popgate", directory);
    assert_true(bird_reads(gone));
}

TEST(the_include_line_has_brackets_below_the_root)
{
    static const struct {
        const char *directory, *line;
    } rows[] = {{"/run/popgate", "include \"/run/[p]opgate/bird*.conf\";"},
                {"/srv/.Pop/run", "include \"/srv/.[P]op/run/bird*.conf\";"},
                {"/popgate", "include \"/[p]opgate/bird*.conf\";"},
                {"/", "include \"//bird*.conf\";"}};
    char line[BIRDCONF_LINE_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(birdconf_include_line(rows[i].directory, line), rows[i].line);
    }
}
