// The table of verbs holds together: what reads it row by row may rely on what is tested here.
#include "base/verbs.h"

#include "tests/test.h"

#include <string.h>

TEST(each_verb_is_found_by_its_name)
{
    for (enum verb verb = 0; verb < VERBS; verb++) {
        assert_int_equal(verb_named(verb_rows[verb].name), verb);
    }
    assert_int_equal(verb_named("drai"), VERBS);
    assert_int_equal(verb_named(""), VERBS);
}

TEST(each_intent_but_auto_is_set_by_the_one_verb_of_its_name)
{
    for (enum intent_kind kind = INTENT_AUTO + 1; kind < INTENT_KINDS; kind++) {
        unsigned setting = 0;
        for (enum verb verb = 0; verb < VERBS; verb++) {
            setting += verb_rows[verb].sets == kind;
        }
        assert_int_equal(setting, 1);
        assert_string_equal(intent_name(kind), verb_setting(kind)->name);
    }
    assert_string_equal(intent_name(INTENT_AUTO), "auto");
}

TEST(each_intent_can_be_ended)
{
    for (enum intent_kind kind = INTENT_AUTO + 1; kind < INTENT_KINDS; kind++) {
        unsigned ending = 0;
        for (enum verb verb = 0; verb < VERBS; verb++) {
            ending += verb_rows[verb].sets == INTENT_AUTO && verb_rows[verb].hindered[kind] == NULL;
        }
        assert_int_equal(ending, 1); // by one verb only: none ends another's work by the way
    }
}

TEST(what_ends_an_intent_has_words_for_ending_nothing)
{
    for (enum verb verb = 0; verb < VERBS; verb++) {
        assert_int_equal(verb_rows[verb].sets == INTENT_AUTO, verb_rows[verb].nothing != NULL);
        assert_null(verb_rows[verb].hindered[INTENT_AUTO]);
    }
}

TEST(nothing_stands_before_an_isolation)
{
    const struct verb_row *isolate = &verb_rows[VERB_ISOLATE];
    assert_true(isolate->at_once);
    assert_false(isolate->guarded);
    for (enum intent_kind kind = 0; kind < INTENT_KINDS; kind++) {
        assert_null(isolate->hindered[kind]);
    }
}

TEST(a_verb_needs_no_field_that_it_does_not_take)
{
    for (enum verb verb = 0; verb < VERBS; verb++) {
        for (enum field field = 0; field < FIELDS; field++) {
            assert_true(verb_rows[verb].needs[field] == NULL ||
                        (verb_rows[verb].fields & FIELD_BIT(field)) != 0);
        }
    }
}
