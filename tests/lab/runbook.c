// Runbooks, carried out: see runbook.h.
#include "tests/lab/runbook.h"

#include "base/error.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX     65536
#define COMMAND_MAX  512
#define EXPECTED_MAX 2048

struct page {
    char path[LAB_PATH_MAX];
    const char *at; // the next line
    int line;       // its number
};

struct command {
    int line;
    char text[COMMAND_MAX];
    char expected[EXPECTED_MAX]; // each line with its newline, "" for nothing
};

// Who runs it says yes to whatever is asked.
static const char as_an_operator[] = "mkdir -p " RUNBOOK_DIRECTORY " && cd " RUNBOOK_DIRECTORY
                                     " && yes 2>/dev/null | { eval \"$0\"; }";

// "..." in what a page has stands for anything, as a line of its own for any number of lines.
static bool matches(const char *expected, const char *said)
{
    while (*expected != '\0') {
        if (strncmp(expected, "...", 3) == 0) {
            const char *rest = expected + 3;
            // A line of its own may also stand for none.
            if (*rest == '\n' && matches(rest + 1, said)) {
                return true;
            }
            for (; !matches(rest, said); said++) {
                if (*said == '\0') {
                    return false;
                }
            }
            return true;
        }
        if (*expected++ != *said++) {
            return false;
        }
    }
    return *said == '\0';
}

// A line of a block of code, without the block's own indentation: NULL when it is none. Text in a
// list is indented too, by less than its blocks are.
static const char *code_of(const char *line, size_t length, size_t *indent)
{
    size_t spaces = strspn(line, " ");

    *indent = spaces;
    return spaces >= 4 && spaces < length ? line + spaces : NULL;
}

static void append(char *to, size_t size, const struct page *page, const char *text, size_t length)
{
    size_t used = strlen(to);

    if (used + length + 2 > size) {
        lab_fail("%s:%d: what stands below a command is too long", page->path, page->line);
    }
    memcpy(to + used, text, length);
    memcpy(to + used + length, "\n", 2);
}

// The next command and what stands below it; false at the page's end.
static bool next_command(struct page *page, struct command *command)
{
    size_t block = 0, indent;

    command->text[0] = command->expected[0] = '\0';
    for (; *page->at != '\0'; page->line++) {
        size_t length = strcspn(page->at, "\n");
        const char *code = code_of(page->at, length, &indent);
        bool begins = code != NULL && strncmp(code, "# ", 2) == 0;

        if (command->text[0] != '\0' && (begins || code == NULL || indent < block)) {
            return true; // this line is for the next call
        }
        if (begins) {
            block = indent;
            command->line = page->line;
            snprintf(command->text, sizeof command->text, "%.*s", (int)(length - indent - 2),
                     code + 2);
        } else if (command->text[0] != '\0') {
            append(command->expected, sizeof command->expected, page, page->at + block,
                   length - block);
        }
        page->at += length + (page->at[length] == '\n');
    }
    return command->text[0] != '\0';
}

void runbook_run(const struct booted *pop, const char *name, const struct runbook_hand *hands)
{
    struct page page = {.line = 1};
    struct command command;
    char *text;
    size_t length;
    char error[ERROR_MAX];

    snprintf(page.path, sizeof page.path, "docs/runbooks/%s.md", name);
    if (file_read(page.path, PAGE_MAX, &text, &length, error) != 0) {
        lab_fail("%s", error);
    }
    page.at = text;
    while (next_command(&page, &command)) {
        for (; hands->before != NULL && strstr(command.text, hands->before) != NULL; hands++) {
            hands->work(pop);
        }
        int ended = boot_run(pop->boot, LAB_ARGV("sh", "-c", as_an_operator, command.text),
                             pop_output, sizeof pop_output);
        if (ended != 0 || !matches(command.expected, pop_output)) {
            lab_fail("%s:%d: # %s\nended with %d, and said:\n%s\nThe page has:\n%s", page.path,
                     command.line, command.text, ended, pop_output, command.expected);
        }
    }
    if (hands->before != NULL) {
        lab_fail("%s: no command any more with %s in it", page.path, hands->before);
    }
    free(text);
}
