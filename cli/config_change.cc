#include "cli/config_change.h"

#include <fmt/core.h>

#include "net/wire/incremental_alter_configs.h"

namespace millrace::cli {

Result<std::vector<ConfigChange>> parse_config_changes(const std::vector<std::string>& set,
                                                       const std::vector<std::string>& unset) {
  std::vector<ConfigChange> changes;
  for (const std::string& text : set) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Errc::invalid_argument,
                  fmt::format("{}: write name=value, or name+=element for a list", text));
    }
    ConfigChange change{.name = text.substr(0, equals), .value = text.substr(equals + 1)};
    if (change.name.ends_with('+')) change.operation = ConfigChange::Operation::append;
    if (change.name.ends_with('-')) change.operation = ConfigChange::Operation::subtract;
    if (change.operation != ConfigChange::Operation::set) change.name.pop_back();
    changes.push_back(std::move(change));
  }
  for (const std::string& name : unset) {
    if (name.contains('='))
      return fail(Errc::invalid_argument, fmt::format("{}: to delete, give the name alone", name));
    changes.push_back(
        {.name = name, .operation = ConfigChange::Operation::unset, .value = std::nullopt});
  }
  return changes;
}

Result<void> alter_configs(AdminClient& client, ResourceType type,
                           const std::vector<std::string>& names,
                           const std::vector<ConfigChange>& changes, bool validate_only) {
  wire::IncrementalAlterConfigsRequest request{.validate_only = validate_only};
  for (const std::string& name : names) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = static_cast<std::int8_t>(type);
    resource.resource_name = name;
    for (const ConfigChange& change : changes) {
      resource.configs.push_back({.name = change.name,
                                  .config_operation = static_cast<std::int8_t>(change.operation),
                                  .value = change.value});
    }
  }
  TRY(answer, client.call(request));
  for (const auto& resource : answer.message.responses) {
    TRY_DONE(check_answer(resource.resource_name.empty() ? "all brokers" : resource.resource_name,
                          resource.error_code,
                          resource.error_message.value_or(std::string_view{})));
  }
  return {};
}

}  // namespace millrace::cli
