// Reads Kafka's server.properties as it is: the .properties format of Java.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/settings.h"

namespace millrace::server {

// The entries of a .properties text, in order. `#` and `!` begin comments; a backslash at the end
// of a line continues it; key and value are parted by `=`, `:` or white space; \n, \t, \uXXXX and
// their like are escapes. `file_name` is what errors call it.
//
// Errors: malformed, with file and line.
Result<std::vector<SettingEntry>> parse_properties(std::string_view text,
                                                   std::string_view file_name);

// "key=value", as given to --override. Errors: invalid_argument.
Result<SettingEntry> parse_override(std::string_view text);

// The settings in the file at `path`, or the defaults when it is empty; `overrides` ("key=value")
// outweigh the file.
//
// Errors: not_found, malformed, invalid_argument, unsupported.
Result<Settings> load_settings(const std::string& path, std::span<const std::string> overrides);

}  // namespace millrace::server
