#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_say(char error[ERROR_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, ERROR_MAX, format, args);
    va_end(args);
    return -1;
}
