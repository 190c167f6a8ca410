// The gate: what the health of each probe makes of the services that need it.
#include "controller/core/gate.h"

#include "tests/unit/small_config.h"

enum { A, B, C, PROBES };
enum { ALL_OF, ANY_OF, TWO_OF, DEGRADES, CAREFUL, DEPENDENT, TRUSTING, SERVICES };

static struct config *config;

static int parse(void **state)
{
    (void)state;
    config = small_config(PROBE("a") PROBE("b") PROBE(
        "c") "[service all-of]\nprefixes = 192.0.2.1/32\nrequire = a b\n"
             "[service any-of]\nprefixes = 192.0.2.2/32\nany = a b c\n"
             "[service two-of]\nprefixes = 192.0.2.3/32\nany = a b c\nany_min = 2\n"
             "[service degrades]\nprefixes = 192.0.2.4/32\nrequire = a\ndegrade = b\n"
             "[service careful]\nprefixes = 192.0.2.5/32\nrequire = a\nany = b\n"
             "on_unknown = withdraw\n"
             "[service dependent]\nprefixes = 192.0.2.6/32\nrequire = c\n"
             "depends = all-of\n"
             "[service trusting]\nprefixes = 192.0.2.7/32\nrequire = c\n"
             "depends = careful\n");
    return 0;
}

static int drop(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

TEST_GROUP(parse, drop);

static struct health health_of(char letter)
{
    static const char states[] = {
        [HEALTH_UNKNOWN] = '?', [HEALTH_DOWN] = 'd', [HEALTH_DEGRADED] = 'g', [HEALTH_UP] = 'u'};
    struct health health = {.blind = letter == '!' || (letter >= 'A' && letter <= 'Z')};
    char small = letter == '!' ? '?' : (char)(letter | 0x20);
    for (unsigned i = 0; i < sizeof states; i++) {
        health.settled = states[i] == small ? i : health.settled;
    }
    return health;
}

// The gate of a service when its probes a, b and c are u(p), (de)g(raded), d(own) or ? never known;
// as a capital letter, or !, the same but blind now.
static struct gate gate(size_t service, const char *letters)
{
    struct health healths[PROBES];
    struct gate gates[SERVICES];
    for (size_t i = 0; i < PROBES; i++) {
        healths[i] = health_of(letters[i]);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        size_t index = config->service_order[i];
        gates[index] = gate_of(&config->services[index], healths, gates);
    }
    return gates[service];
}

static void expect(size_t service, const char *letters, enum gate_state state, size_t probe)
{
    struct gate it = gate(service, letters);
    assert_string_equal(gate_name(it.state), gate_name(state));
    assert_int_equal(it.probe, probe);
}

static bool is_held(size_t service, const char *letters)
{
    return gate(service, letters).held_by != GATE_NOBODY;
}

TEST(require_is_as_good_as_the_worst)
{
    expect(ALL_OF, "uu?", GATE_OPEN, GATE_NOBODY);
    expect(ALL_OF, "ug?", GATE_DEGRADED, B);
    expect(ALL_OF, "gd?", GATE_CLOSED, B);
    expect(ALL_OF, "u??", GATE_UNKNOWN, B);
    expect(ALL_OF, "?d?", GATE_CLOSED, B);
}

TEST(the_first_of_equals_is_named)
{
    expect(ALL_OF, "dd?", GATE_CLOSED, A);
    expect(ANY_OF, "ddd", GATE_CLOSED, A);
}

TEST(any_needs_one_unless_any_min_says_more)
{
    expect(ANY_OF, "ddu", GATE_OPEN, GATE_NOBODY);
    expect(ANY_OF, "dgd", GATE_DEGRADED, A);
    expect(ANY_OF, "d?d", GATE_UNKNOWN, A);
    expect(ANY_OF, "???", GATE_UNKNOWN, A);
    expect(TWO_OF, "duu", GATE_OPEN, GATE_NOBODY);
    expect(TWO_OF, "ddu", GATE_CLOSED, A);
    expect(TWO_OF, "ugd", GATE_DEGRADED, C);
    expect(TWO_OF, "u?d", GATE_UNKNOWN, C);
}

TEST(degrade_lowers_the_gate_but_never_closes_it)
{
    expect(DEGRADES, "uu?", GATE_OPEN, GATE_NOBODY);
    expect(DEGRADES, "ud?", GATE_DEGRADED, B);
    expect(DEGRADES, "ug?", GATE_DEGRADED, B);
    expect(DEGRADES, "dd?", GATE_CLOSED, A);
}

TEST(degrade_is_waited_for_until_it_is_unknown_for_good)
{
    expect(DEGRADES, "u??", GATE_UNKNOWN, B);
    expect(DEGRADES, "u!?", GATE_OPEN, GATE_NOBODY);
}

TEST(hold_keeps_what_a_blind_probe_last_knew)
{
    expect(ALL_OF, "Uu?", GATE_OPEN, GATE_NOBODY);
    assert_true(is_held(ALL_OF, "Uu?"));
    assert_false(gate(ALL_OF, "Uu?").blind);
    assert_false(is_held(ALL_OF, "uu?"));
    expect(ALL_OF, "Du?", GATE_CLOSED, A);
    expect(ALL_OF, "!u?", GATE_UNKNOWN, A);
    assert_true(is_held(ANY_OF, "Udd"));
}

TEST(the_probe_that_it_is_held_by_is_named)
{
    assert_int_equal(gate(ALL_OF, "uU?").held_by, B);
    assert_int_equal(gate(TWO_OF, "dUu").held_by, B);
    assert_int_equal(gate(DEGRADES, "uU?").held_by, B);
    assert_int_equal(gate(DEPENDENT, "uUu").held_by, B);
    assert_int_equal(gate(DEGRADES, "u!?").held_by, GATE_NOBODY); // passed over
}

TEST(any_is_not_held_by_a_blind_probe_that_it_can_do_without)
{
    assert_false(is_held(ANY_OF, "Uud"));
    assert_false(is_held(TWO_OF, "uuU"));
    assert_true(is_held(TWO_OF, "udU"));
}

TEST(withdraw_closes_for_a_blind_probe_and_says_that_it_is_blind)
{
    expect(CAREFUL, "uu?", GATE_OPEN, GATE_NOBODY);
    expect(CAREFUL, "Uu?", GATE_CLOSED, A);
    assert_true(gate(CAREFUL, "Uu?").blind);
    assert_true(gate(CAREFUL, "uU?").blind);
    assert_false(gate(CAREFUL, "du?").blind);
    assert_false(is_held(CAREFUL, "Uu?"));
    expect(CAREFUL, "?u?", GATE_UNKNOWN, A);
}

TEST(who_depends_is_no_better_than_what_it_depends_on)
{
    expect(DEPENDENT, "uuu", GATE_OPEN, GATE_NOBODY);
    expect(DEPENDENT, "udu", GATE_CLOSED, B);
    assert_int_equal(gate(DEPENDENT, "udu").service, ALL_OF);
    expect(DEPENDENT, "uud", GATE_CLOSED, C);
    assert_true(gate(DEPENDENT, "uud").service == GATE_NOBODY);
    assert_true(is_held(DEPENDENT, "Uuu"));
    assert_true(gate(TRUSTING, "Uuu").blind);
}
