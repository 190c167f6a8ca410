// Text that came from elsewhere (probe causes, reasons, BIRD's messages), made harmless for
// terminals and logs. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Length of the well-formed UTF-8 character (RFC 3629) at text, 1 to 4; 0 if there is none. At the
// terminating NUL it is 1.
size_t utf8_length(const char *text);

// Could the character at text steer a terminal or forge a line: is it a control character or a
// bidirectional override? Its code point is left in *point, 0 if it is not well-formed.
bool text_steers(const char *text, uint32_t *point);

// Copies text with everything that could steer a terminal or forge a line written visibly: control
// characters, bidirectional overrides and what is not UTF-8 as \n, \t, \xNN. With quotes set, also
// \" and \\, so that the result can stand between double quotes. Cuts at a whole character; returns
// the result's length.
size_t text_printable(char *out, size_t size, const char *text, bool quotes);

// Copies the next word, set off by blanks, and moves *at past it; one that is longer than size is
// cut. False: there is none.
bool text_next_word(const char **at, char *word, size_t size);

// The value of a hexadecimal digit of either case; -1: it is none.
int text_hex_digit(char c);

// The number that text starts with, in decimal digits. Returns what follows it, or NULL if there is
// none or it is too large.
const char *text_digits(const char *text, uint64_t *out);
