// What is written from the table of settings: the reference for people and the sample file.
#pragma once

#include <string>

namespace millrace::server {

// docs/settings.md
std::string settings_reference();
// packaging/millrace.properties
std::string sample_properties();
// The tables of topics and of groups, parts of settings_reference().
std::string topic_config_reference();
std::string group_config_reference();

}  // namespace millrace::server
