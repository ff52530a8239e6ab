#include "cli/topic_analyze.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <deque>
#include <memory>

#include "cli/batch_fetch.h"
#include "cli/batch_statistics.h"
#include "cli/group_lag.h"
#include "cli/offset_range.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/seek_target.h"

namespace millrace::cli {
namespace {

using wire::ErrorCode;

constexpr FetchLimits kFetchLimits{.partition_bytes_max = 1 << 20, .bytes_max = 1 << 20};
constexpr int kPassesMax = 8;

// The part of a partition's log that is looked at, end exclusive.
struct LogRange {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t log_start = 0;
};

struct PartitionReport {
  std::int32_t partition = 0;
  BatchStatistics statistics;
  bool complete = true;  // all that was asked for was looked at
};

double rounded(double value) {
  return std::round(value * 10.0) / 10.0;
}

Cell rate_cell(const std::optional<double>& rate) {
  return rate ? Cell(rounded(*rate)) : Cell(nullptr);
}

struct AnalyzeCommand {
  ConnectionOptions connection;
  OutputFormat format = OutputFormat::table;
  std::vector<std::string> topics;
  std::vector<std::string> offsets;
  std::int64_t batches_max = 1000;
  std::int64_t mebibytes_max = 64;

  Exit run() {
    const auto range = parse_offset_range(offsets);
    if (!range) return finish(fail(range.error()));
    auto cluster = ClusterClient::connect(connection);
    if (!cluster) return finish(fail(cluster.error()));
    Outcome outcome;
    Cell documents = Cell::array();
    for (const std::string& topic : topics) outcome.take(show(*cluster, topic, *range, documents));
    if (format == OutputFormat::json) print_json(documents);
    return outcome.exit();
  }

  Result<void> show(ClusterClient& cluster, const std::string& text, const OffsetRange& range,
                    Cell& documents) const {
    TRY(choice, parse_topic_choice(text));
    TRY_DONE(cluster.learn({choice.topic}));
    TRY(all, cluster.partitions_of(choice.topic));
    std::set<TopicPartition> partitions;
    for (const std::int32_t wanted : choice.partitions.empty() ? all : choice.partitions) {
      if (std::ranges::find(all, wanted) == all.end()) {
        return fail(Errc::not_found, fmt::format("{} has partitions 0 to {}, not {}", choice.topic,
                                                 all.size() - 1, wanted));
      }
      partitions.insert({choice.topic, wanted});
    }
    TRY(ranges, resolve(cluster, partitions, range));
    std::vector<PartitionReport> reports;
    for (const auto& [leader, led] : cluster.by_leader(partitions)) {
      TRY(client, cluster.broker(leader));
      for (const TopicPartition& partition : led) {
        TRY(report, analyze(*client, partition, ranges.at(partition)));
        reports.push_back(std::move(report));
      }
    }
    std::ranges::sort(reports, {}, &PartitionReport::partition);
    if (format == OutputFormat::json) {
      documents.push_back(document_of(choice.topic, reports));
    } else {
      print_out("{}topic  {}\n\n", text == topics.front() ? "" : "\n", choice.topic);
      table_of(reports, true).print(OutputFormat::table);
    }
    return {};
  }

  // The offset at one end of what was asked for.
  static std::int64_t offset_of(const RangeEnd& end, const LogRange& log,
                                const ListedOffsets& times, const TopicPartition& partition) {
    switch (end.kind) {
      case RangeEnd::Kind::beginning:
        return log.log_start;
      case RangeEnd::Kind::end:
        return log.end;
      case RangeEnd::Kind::tail:
        return log.end - end.value;
      case RangeEnd::Kind::offset:
        return end.value;
      case RangeEnd::Kind::time:
        break;
    }
    const auto found = times.find(partition);
    return found == times.end() || found->second.offset < 0 ? log.end : found->second.offset;
  }

  Result<std::map<TopicPartition, LogRange>> resolve(ClusterClient& cluster,
                                                     const std::set<TopicPartition>& partitions,
                                                     const OffsetRange& range) const {
    TRY(starts, cluster.list_offsets(partitions, kEarliestTimestamp));
    TRY(ends, cluster.list_offsets(partitions, kLatestTimestamp));
    ListedOffsets first;
    ListedOffsets second;
    if (range.start.kind == RangeEnd::Kind::time) {
      TRY(found, cluster.list_offsets(partitions, range.start.value));
      first = std::move(found);
    }
    if (range.stop && range.stop->kind == RangeEnd::Kind::time) {
      TRY(found, cluster.list_offsets(partitions, range.stop->value));
      second = std::move(found);
    }
    std::map<TopicPartition, LogRange> ranges;
    for (const TopicPartition& partition : partitions) {
      for (const ListedOffsets* listed : {&starts, &ends}) {
        const auto said = listed->find(partition);
        TRY_DONE(check_answer(to_text(partition), said == listed->end()
                                                      ? ErrorCode::leader_not_available
                                                      : said->second.error));
      }
      LogRange log{
          .start = 0, .end = ends[partition].offset, .log_start = starts[partition].offset};
      const LogRange whole = log;
      log.start = offset_of(range.start, whole, first, partition);
      if (range.stop) log.end = offset_of(*range.stop, whole, second, partition);
      log.start = std::clamp(log.start, whole.log_start, whole.end);
      log.end = std::clamp(log.end, log.start, whole.end);
      ranges[partition] = log;
    }
    return ranges;
  }

  // With a range all of it, else the last batches: from so far back that they are seen.
  Result<PartitionReport> analyze(AdminClient& client, const TopicPartition& partition,
                                  LogRange range) const {
    PartitionReport report{.partition = partition.partition, .statistics = {}};
    std::int64_t bytes_left = mebibytes_max << 20;
    const bool last_only = offsets.empty();
    if (last_only) range.start = std::max(range.log_start, range.end - batches_max);
    std::deque<BatchHeader> headers;
    for (int pass = 0; pass < kPassesMax; ++pass) {
      headers.clear();
      TRY(complete, scan(client, partition, range, last_only, bytes_left, headers));
      report.complete = complete;
      if (!last_only || !complete) break;
      const auto seen = static_cast<std::int64_t>(headers.size());
      const auto further = further_back(range.start, seen, batches_max, range.log_start, range.end);
      if (!further) break;
      range.start = *further;
    }
    for (const BatchHeader& header : headers) report.statistics.add(header);
    return report;
  }

  // Reads on from the range's start to its end, and keeps the headers: the last ones only, if asked
  // to. False when it stopped at the limit of bytes.
  Result<bool> scan(AdminClient& client, const TopicPartition& partition, const LogRange& range,
                    bool last_only, std::int64_t& bytes_left,
                    std::deque<BatchHeader>& headers) const {
    std::int64_t offset = range.start;
    while (offset < range.end) {
      if (bytes_left <= 0) return false;
      const std::int64_t before = offset;
      ErrorCode error{};
      const auto take = [&](const TopicPartition&, FetchedBatches fetched) {
        error = fetched.error;
        bytes_left -= static_cast<std::int64_t>(fetched.batches.size());
        for_each_batch(fetched.batches, [&](const BatchHeader& header, ConstBytes) {
          if (header.last_offset() < offset || header.base_offset >= range.end) return;
          headers.push_back(header);
          offset = header.last_offset() + 1;
          if (last_only && static_cast<std::int64_t>(headers.size()) > batches_max)
            headers.pop_front();
        });
      };
      TRY_DONE(fetch_batches(client, {{partition, offset}}, kFetchLimits, take));
      TRY_DONE(check_answer(to_text(partition), error));
      if (offset == before) break;  // cleaned away up to the end
    }
    return true;
  }

  Table table_of(const std::vector<PartitionReport>& reports, bool with_total) const {
    Table table({"partition", "batches", "records", "bytes", "records_per_s", "bytes_per_s",
                 "batch_p50", "batch_p99", "batch_max", "codecs",
                 format == OutputFormat::json ? "span_ms" : "span", "complete"});
    BatchStatistics total;
    Rates rates;
    bool complete = true;
    for (const PartitionReport& report : reports) {
      const BatchStatistics& each = report.statistics;
      const Rates own{each.per_second(each.records()), each.per_second(each.bytes())};
      table.add(row_of(report.partition, each, own, report.complete));
      total.add(each);
      rates.add(own);
      complete = complete && report.complete;
    }
    if (with_total && reports.size() > 1) table.add(row_of("all", total, rates, complete));
    return table;
  }

  // Of several partitions together: what each has per second, summed up, whatever time was seen of
  // it.
  struct Rates {
    std::optional<double> records;
    std::optional<double> bytes;

    void add(const Rates& other) {
      if (!other.records) return;
      records = records.value_or(0) + *other.records;
      bytes = bytes.value_or(0) + *other.bytes;
    }
  };

  std::vector<Cell> row_of(const Cell& name, const BatchStatistics& each, const Rates& rates,
                           bool complete) const {
    const auto size_cell = [&](double share) {
      return each.batches() == 0 ? Cell(nullptr) : Cell(each.size_at(share));
    };
    Cell span(nullptr);
    if (each.first_ms()) {
      const std::int64_t ms = *each.last_ms() - *each.first_ms();
      span = format == OutputFormat::json ? Cell(ms) : Cell(duration_text(ms));
    }
    return {name,
            each.batches(),
            each.records(),
            each.bytes(),
            rate_cell(rates.records),
            rate_cell(rates.bytes),
            size_cell(0.5),
            size_cell(0.99),
            size_cell(1.0),
            Cell(each.codecs()),
            span,
            complete};
  }

  Cell document_of(const std::string& topic, const std::vector<PartitionReport>& reports) const {
    BatchStatistics total;
    Rates rates;
    for (const PartitionReport& report : reports) {
      total.add(report.statistics);
      rates.add({report.statistics.per_second(report.statistics.records()),
                 report.statistics.per_second(report.statistics.bytes())});
    }
    return {{"topic", topic},
            {"batches", total.batches()},
            {"records", total.records()},
            {"bytes", total.bytes()},
            {"records_per_s", rate_cell(rates.records)},
            {"bytes_per_s", rate_cell(rates.bytes)},
            {"partitions", Cell::parse(table_of(reports, false).render(OutputFormat::json))}};
  }
};

}  // namespace

Action define_topic_analyze(CLI::App& app) {
  auto command = std::make_shared<AnalyzeCommand>();
  add_connection_options(app, command->connection);
  add_format_option(app, command->format);
  app.add_option("TOPIC", command->topics, "Names of topics; some partitions of one as T:0,3,5-7")
      ->required();
  app.add_option("-n,--batches", command->batches_max,
                 "Look at the last N batches of each partition")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->capture_default_str();
  app.add_option("-o,--offset", command->offsets,
                 "Look at this range instead: N, -N, s@TIME, e@TIME, A..B, as `consume` has them")
      ->allow_extra_args(false);
  app.add_option("--mebibytes", command->mebibytes_max, "Read no more than this of each partition")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->capture_default_str();
  return [command] { return command->run(); };
}

}  // namespace millrace::cli
