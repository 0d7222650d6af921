#include "reports/record/text.hpp"

#include <gtest/gtest.h>

namespace mlc {
namespace {

TEST(ParseBytes, TakesWhatPeopleWrite) {
  EXPECT_EQ(parse_bytes("4096"), 4096u);
  EXPECT_EQ(parse_bytes("4K"), 4096u);
  EXPECT_EQ(parse_bytes("4KiB"), 4096u);
  EXPECT_EQ(parse_bytes("1m"), 1u << 20);
  EXPECT_EQ(parse_bytes("1.5G"), 3u << 29);
  EXPECT_EQ(parse_bytes(" 2 GiB "), 2ull << 30);
  EXPECT_EQ(parse_bytes("1T"), 1ull << 40);
  for (const char* text : {"", "K", "4Q", "4 4", "-1", "1.3", "nan", "inf", "1e3", "99999999999G", "4KB"})
    EXPECT_FALSE(parse_bytes(text)) << text;
}

TEST(ParseSeconds, TakesUnits) {
  EXPECT_EQ(parse_seconds("60"), 60);
  EXPECT_EQ(parse_seconds("500ms"), 0.5);
  EXPECT_EQ(parse_seconds("2m"), 120);
  EXPECT_FALSE(parse_seconds("-1s"));
  EXPECT_FALSE(parse_seconds("5 fortnights"));
}

TEST(Texts, AreExactAndShort) {
  EXPECT_EQ(bytes_text(1024), "1 KiB");
  EXPECT_EQ(bytes_text(1000), "1000 B");
  EXPECT_EQ(bytes_text(1'048'560), "1048560 B");
  EXPECT_EQ(bytes_text(8ull << 30), "8 GiB");
  EXPECT_EQ(time_text(28.06), "28.1 µs");
  EXPECT_EQ(time_text(44'320), "44.32 ms");
  EXPECT_EQ(time_text(1'200'000), "1.20 s");
  EXPECT_EQ(percent_text(0.0184), "1.8 %");
  EXPECT_EQ(rank_list(std::vector{0, 1, 2, 3, 7}), "0-3, 7");
  EXPECT_EQ(rank_list(std::vector{4, 5}), "4, 5");
  EXPECT_EQ(rank_list(std::vector<int>{}), "");
}

TEST(Printable, DisarmsWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b[31mred"), "a\\x1b[31mred");
  EXPECT_EQ(printable("two\nlines\ttab"), "two\\nlines\\ttab");
  EXPECT_EQ(printable("ok µ ✓"), "ok µ ✓");
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");  // overlong
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "evil"),
            "\\xe2\\x80\\xae"
            "evil");  // right-to-left override
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b"
            "31m");  // the one-character CSI
  EXPECT_EQ(printable(std::string(500, 'x'), 10), "xxxxxxxxxx…");
}

TEST(Nearest, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> words{"allreduce", "allgather", "broadcast"};
  EXPECT_EQ(nearest("allreduec", words), "allreduce");
  EXPECT_EQ(nearest("brodcast", words), "broadcast");
  EXPECT_EQ(nearest("allr", words), "allreduce");
  EXPECT_FALSE(nearest("frobnicate", words));
  EXPECT_FALSE(nearest("", words));
}

TEST(Columns, CountCodePoints) {
  EXPECT_EQ(columns("µs ✓"), 4u);
  EXPECT_EQ(pad_left("µs", 4), "  µs");
  EXPECT_EQ(pad_right("✓", 3), "✓  ");
}

}  // namespace
}  // namespace mlc
