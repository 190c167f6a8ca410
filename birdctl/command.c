#include "birdctl/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 1, 2))) static struct bird_command say(const char *format, ...)
{
    struct bird_command command;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(command.text, sizeof command.text, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof command.text) {
        command.text[0] = '\0'; // half a command is another command
    }
    return command;
}

// May the text stand between these quotes? No control characters: a newline would end the command.
static bool fits_quotes(const char *text, char quote)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == quote || (unsigned char)*c < ' ' || *c == '\x7f') {
            return false;
        }
    }
    return text[0] != '\0';
}

static struct bird_command about(const char *verb, const char *pattern)
{
    return fits_quotes(pattern, '"') ? say("%s \"%s\"", verb, pattern) : say("%s", "");
}

struct bird_command bird_enable(const char *pattern)
{
    return about("enable", pattern);
}

struct bird_command bird_disable(const char *pattern)
{
    return about("disable", pattern);
}

// Without quotes, and with none needed.
static bool is_symbol(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

static struct bird_command about_one(const char *verb, const char *name)
{
    return is_symbol(name) ? say("%s %s", verb, name) : say("%s", "");
}

struct bird_command bird_enable_one(const char *name)
{
    return about_one("enable", name);
}

struct bird_command bird_disable_one(const char *name)
{
    return about_one("disable", name);
}

struct bird_command bird_show_protocols(void)
{
    return say("show protocols");
}

struct bird_command bird_show_protocols_like(const char *pattern)
{
    return about("show protocols", pattern);
}

struct bird_command bird_show_protocols_all(const char *pattern)
{
    return about("show protocols all", pattern);
}

struct bird_command bird_show_protocol_all(const char *name)
{
    return about_one("show protocols all", name);
}

struct bird_command bird_show_bfd(void)
{
    return say("show bfd sessions");
}

// A prefix can't be quoted, so it must be nothing else.
static bool is_prefix(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789abcdefABCDEF:./")] == '\0';
}

// A table has no quotes: BIRD 2.0 takes none here.
struct bird_command bird_show_route(const char *prefix, const char *table)
{
    return is_prefix(prefix) && is_symbol(table) ? say("show route %s table %s all", prefix, table)
                                                 : say("%s", "");
}

// A session's name is a symbol here, and no string: BIRD quotes symbols with apostrophes.
struct bird_command bird_show_export(const char *prefix, const char *session)
{
    return is_prefix(prefix) && fits_quotes(session, '\'')
               ? say("show route %s export '%s' all", prefix, session)
               : say("%s", "");
}

struct bird_command bird_show_exported(const char *prefix, const char *session)
{
    return is_prefix(prefix) && fits_quotes(session, '\'')
               ? say("show route %s exported '%s'", prefix, session)
               : say("%s", "");
}

struct bird_command bird_configure_status(void)
{
    return say("configure status");
}

struct bird_command bird_configure_check(void)
{
    return say("configure check");
}

struct bird_command bird_configure(void)
{
    return say("configure");
}

struct bird_command bird_echo(unsigned bytes)
{
    return say("echo all %u", bytes);
}
