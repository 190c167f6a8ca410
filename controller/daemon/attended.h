// Whether anybody watches over what is announced: <runtime_dir>/running is there from a start to a
// clean stop. Left behind where no popgated runs, it tells of one that ended without having
// stopped, and that nobody started again.
#pragma once

#include "base/error.h"

#include <stdbool.h>

bool attended_begin(const char *runtime_dir, char error[ERROR_MAX]); // false with an error said
void attended_end(const char *runtime_dir);
// False only where there is no such file: who can't look (a directory that he may not search) knows
// of no clean stop.
bool attended_has_begun(const char *runtime_dir);
