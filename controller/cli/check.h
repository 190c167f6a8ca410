// Status as Nagios plugins say it (Monitoring Plugins Development Guidelines): one line with
// performance data, and 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. Pure.
#pragma once

#include <jansson.h>
#include <stddef.h>

enum check_result { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

// status is the answer of /v1/status, or of one service; the worst of its problems is the result,
// and they are the text. What is counted was seen.
#define CHECK_LINE_MAX 1024
enum check_result check_status(const json_t *status, char line[CHECK_LINE_MAX]);
