// Carried: which of a leg's attributes an exported route has, in the words of BIRD 2.x and 3.x.
#include "controller/core/carried.h"

#include "tests/unit/small_config.h"

#define SERVICE(more) PROBE("p") "[service s]\nprefixes = 192.0.2.1/32\nrequire = p\n" more

static struct config *config;

static int start(void **state)
{
    (void)state;
    config = NULL;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

TEST_FIXTURE(start, stop);

static bool external; // the session is

// What the leg's route lacks if these are its attributes, a line each; "" if it lacks nothing.
static const char *lacks(const char *more, enum leg_name leg, const char *lines)
{
    static char text[CARRIED_TEXT_MAX];
    char copy[1024];
    struct carried carried;
    config_free(config);
    config = small_config(more);
    carried_begin(&carried, &config->services[0], leg, 64512, external);
    snprintf(copy, sizeof copy, "%s", lines);
    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        struct bird_line it = line_of(1012, line);
        carried_line(&carried, &it);
    }
    uint16_t code = carried_lacks(&carried);
    return code != 0 ? carried_text(&config->services[0], leg, code, text) : "";
}

TEST(each_kind_of_attribute_is_found_as_2_x_and_3_x_write_it)
{
    static const struct {
        const char *more, *lines[2], *lacks;
    } table[] = {
        {SERVICE("communities = 64512:100 no-llgr\n"),
         {"\tBGP.community: (1,2) (64512,100) (65535,7)",
          "\tpreference: 260\n\tbgp_community: (64512,100) (65535,7)"},
         "community 64512:100"},
        {SERVICE("large_communities = 64512:1:2\n"),
         {"\tBGP.large_community: (64512, 1, 2)", "\tbgp_large_community: (64512, 1, 2)"},
         "large community 64512:1:2"},
        {SERVICE("ext_communities = rt:64512:10\n"),
         {"\tBGP.ext_community: (rt, 64512, 10)", "\tbgp_ext_community: (rt, 64512, 10)"},
         "extended community (rt, 64512, 10)"},
        {SERVICE("med = 10\n"), {"\tBGP.med: 10", "\tbgp_med: 10"}, "MED 10"},
        {SERVICE("local_pref = 50\n"),
         {"\tBGP.local_pref: 50", "\tbgp_local_pref: 50"},
         "local_pref 50"},
        {SERVICE("prepend = 2\n"),
         {"\tBGP.as_path: 64512 64512", "\tbgp_path: 64512 64512 64512"},
         "2 prepended"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_string_equal(lacks(table[i].more, LEG_PRIMARY, table[i].lines[0]), "");
        assert_string_equal(lacks(table[i].more, LEG_PRIMARY, table[i].lines[1]), "");
        assert_string_equal(lacks(table[i].more, LEG_PRIMARY, "\tBGP.origin: IGP"), table[i].lacks);
    }
}

// ---- As recorded

struct recorded {
    size_t reply; // the greeting is 0
    struct carried carried;
};

#define EXPORTED_ALL 5 // show route 192.0.2.53/32 export 'upstream_a' all

static void take_line(void *arg, const struct bird_line *line)
{
    struct recorded *recorded = arg;
    if (recorded->reply == EXPORTED_ALL) {
        carried_line(&recorded->carried, line);
    }
    recorded->reply += line->kind == BIRD_LAST;
}

TEST(what_real_birds_say_of_an_exported_route_is_read)
{
    static const char *const versions[] = {"2.0.12", "2.19.2", "3.3.2"};
    config = small_config(SERVICE("communities = 64512:100\nlarge_communities = 64512:1:2\n"));
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char path[128];
        char bytes[512];
        size_t length;
        struct bird_reader reader = {.code = 0};
        struct recorded recorded = {.reply = 0};
        carried_begin(&recorded.carried, &config->services[0], LEG_PRIMARY, 64512, false);
        assert_int_not_equal(carried_lacks(&recorded.carried), 0);
        snprintf(path, sizeof path, "tests/unit/recordings/bird-%s-routes.txt", versions[i]);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        while ((length = fread(bytes, 1, sizeof bytes, file)) > 0) {
            bird_reader_feed(&reader, bytes, length, take_line, &recorded);
        }
        fclose(file);
        assert_int_equal(carried_lacks(&recorded.carried), 0);
    }
}

TEST(what_looks_alike_is_not_it)
{
    assert_string_equal(lacks(SERVICE("communities = 64512:10\n"), LEG_PRIMARY,
                              "\tBGP.community: (64512,100) (4512,10)\n"
                              "\tBGP.large_community: (64512, 10, 1)"),
                        "community 64512:10");
    assert_string_equal(lacks(SERVICE("med = 10\n"), LEG_PRIMARY, "\tBGP.med: 100"), "MED 10");
    assert_string_equal(
        lacks(SERVICE("prepend = 2\n"), LEG_PRIMARY, "\tBGP.as_path: 64512 64513 64512"),
        "2 prepended");
}

TEST(a_long_list_goes_on_in_the_lines_below)
{
    static const char more[] = SERVICE("communities = 64512:100 64512:200\n");
    assert_string_equal(lacks(more, LEG_PRIMARY,
                              "\tBGP.community: (64512,100)\n\t\t(64512,200)\n\tBGP.origin: IGP"),
                        "");
    assert_string_equal(lacks(more, LEG_PRIMARY,
                              "\tBGP.community: (64512,100)\n\tBGP.cluster_list: 1.1.1.1\n"
                              "\t\t(64512,200)"),
                        "community 64512:200");
}

TEST(of_the_twin_only_what_the_primary_has_not_is_looked_for)
{
    static const char more[] = SERVICE("communities = 64512:1\nmed = 10\nprepend = 1\n"
                                       "large_communities = 64512:1:1\n"
                                       "drain_communities = 64512:2 graceful-shutdown\n"
                                       "drain_large_communities = 64512:1:2\ndrain_prepend = 3\n");
    assert_string_equal(lacks(more, LEG_DRAIN,
                              "\tBGP.community: (64512,2) (65535,0)\n"
                              "\tBGP.large_community: (64512, 1, 2)\n"
                              "\tBGP.as_path: 64512 64512 64512"),
                        "");
    assert_string_equal(lacks(more, LEG_DRAIN, "\tBGP.community: (64512,1) (65535,0)"),
                        "community 64512:2");
    assert_string_equal(lacks(more, LEG_DRAIN,
                              "\tBGP.community: (64512,2) (65535,0)\n"
                              "\tBGP.large_community: (64512, 1, 2)\n\tBGP.as_path: 64512"),
                        "3 prepended");
}

TEST(an_external_session_is_sent_no_local_pref)
{
    external = true;
    assert_string_equal(lacks(SERVICE("local_pref = 50\n"), LEG_PRIMARY, ""), "");
    external = false;
    assert_string_equal(lacks(SERVICE("local_pref = 50\n"), LEG_PRIMARY, ""), "local_pref 50");
}

TEST(extended_communities_that_bird_names_otherwise_are_not_looked_for)
{
    assert_string_equal(
        lacks(SERVICE("ext_communities = generic:0x43000000:0x1\n"), LEG_PRIMARY, ""), "");
}
