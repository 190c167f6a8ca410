// {pop.id} and {pop.region} in the values of probes.
#include "controller/config/expand.h"
#include "controller/config/load.h"
#include "probes/probe.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static const struct config fra1 = {.pop = {.id = "fra1", .region = "eu-central"}};

static void assert_expands(const char *value, const char *expected)
{
    char out[WORD_MAX];
    char error[ERROR_MAX];
    assert_int_equal(expand(&fra1, value, out, error), 0);
    assert_string_equal(out, expected);
}

static void assert_refused(const struct config *config, const char *value, const char *why)
{
    char out[WORD_MAX];
    char error[ERROR_MAX] = "";
    assert_int_equal(expand(config, value, out, error), -1);
    if (strstr(error, why) == NULL) {
        fail_msg("%s: %s", value, error);
    }
}

TEST(the_pops_names_are_filled_in)
{
    assert_expands("{pop.id}", "fra1");
    assert_expands("region={pop.region} pop={pop.id}", "region=eu-central pop=fra1");
    assert_expands("{pop.id}{pop.id}.{pop.region}", "fra1fra1.eu-central");
}

TEST(other_braces_stay_as_they_are)
{
    assert_expands("", "");
    assert_expands("{random}.example.net", "{random}.example.net");
    assert_expands("{ {} }{pop {po", "{ {} }{pop {po");
}

TEST(what_stands_for_nothing_is_refused)
{
    struct config no_region = {.pop = {.id = "fra1"}};
    assert_refused(&no_region, "{pop.region}", "{pop.region} stands for nothing");
    assert_refused(&fra1, "{pop.name}", "but no {pop.name}");
    assert_refused(&fra1, "{pop.id", "but no {pop.id");
    assert_refused(&fra1, "{pop.", "but no {pop.");
}

TEST(the_result_is_no_longer_than_a_line)
{
    char value[WORD_MAX * 2];
    char expected[WORD_MAX * 2];
    snprintf(value, sizeof value, "%0*d{pop.id}", WORD_MAX - 5, 0);
    snprintf(expected, sizeof expected, "%0*dfra1", WORD_MAX - 5, 0);
    assert_expands(value, expected);
    snprintf(value, sizeof value, "%0*d{pop.id}", WORD_MAX - 4, 0);
    assert_refused(&fra1, value, "longer than 1023 bytes");
}

// ---- In a configuration

static void collect(void *arg, bool error, const char *line)
{
    char *all = arg;
    (void)error;
    snprintf(all + strlen(all), 2048 - strlen(all), "%s\n", line);
}

static struct config *parse(const char *region, const char *probe, char all[2048])
{
    char text[1024];
    all[0] = '\0';
    snprintf(text, sizeof text,
             "[pop]\nid = fra1\n%s\n[bird]\nlocal_as = 64512\n"
             "[probe a]\ntype = dns\ntarget = 192.0.2.53:53\n%s\n"
             "[service a]\nprefixes = 192.0.2.53/32\nrequire = a\n",
             region, probe);
    return config_parse("popgate.conf", text, collect, all);
}

TEST(another_region_is_another_probe)
{
    static const char probe[] = "qname = {pop.region}.example.net";
    char all[2048];
    struct config *one = parse("region = eu-central", probe, all);
    struct config *two = parse("region = eu-west", probe, all);
    assert_non_null(one);
    assert_non_null(two);
    assert_int_not_equal(one->probes[0].fingerprint, two->probes[0].fingerprint);
    config_free(one);
    config_free(two);
}

TEST(a_missing_region_is_told_with_its_line)
{
    char all[2048];
    assert_null(parse("", "qname = {pop.region}.example.net", all));
    assert_non_null(strstr(all, "popgate.conf:9: `qname`: {pop.region} stands for nothing"));
}
