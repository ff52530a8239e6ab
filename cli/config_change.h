// Changes of configurations, as topic and config commands take them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/admin_client.h"

namespace millrace::cli {

// Values are those of the protocol.
enum class ResourceType : std::int8_t { topic = 2, broker = 4, group = 32 };

struct ConfigChange {
  enum class Operation : std::int8_t { set = 0, unset = 1, append = 2, subtract = 3 };
  std::string name;
  Operation operation = Operation::set;
  std::optional<std::string> value;
  bool operator==(const ConfigChange&) const = default;
};

// set: "name=value", "name+=element" and "name-=element" for lists. unset: names. Errors:
// invalid_argument.
Result<std::vector<ConfigChange>> parse_config_changes(const std::vector<std::string>& set,
                                                       const std::vector<std::string>& unset = {});

// Asks for the same changes of all the resources named. Errors: what the broker says about the
// first it refuses.
Result<void> alter_configs(AdminClient& client, ResourceType type,
                           const std::vector<std::string>& names,
                           const std::vector<ConfigChange>& changes, bool validate_only = false);

}  // namespace millrace::cli
