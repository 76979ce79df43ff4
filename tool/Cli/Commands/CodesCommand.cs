using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Errors;
using Bnb.Engine.Text;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Metrics;
using Spectre.Console;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb codes</c>: the table of a data type, derived, with its midpoints and what it does to normal
/// weights.</summary>
internal static class CodesCommand
{
    private const int Blocksize = 64;
    private const int DefaultBits = 4;

    public static Command Create(CommandHost host)
    {
        var type = new Option<string>("--type", "-t")
        {
            Description = "Data type: nf4 or fp4 (default: nf4)",
            HelpName = "TYPE",
            CustomParser = Choice.Parser(Code4Catalog.All.ToDictionary(code => code.Name, code => code.Name)),
        };
        var bits = new Option<int>("--bits")
        {
            Description = "Bits of a code, 2 to 8; other than 4 of nf4 only (default: 4)",
            HelpName = "N",
            CustomParser = Choice.Number(NormalFloat.FewestBits, NormalFloat.MostBits),
        };
        var command = new Command("codes", "Show the table of a data type, its midpoints and its error on normal weights") { type, bits };
        host.Attach(command, (parsed, context) => Execute(parsed.ValueOr(type, Code4Catalog.Nf4.Name), parsed.ValueOr(bits, DefaultBits), context));
        return command;
    }

    private static void Execute(string type, int bits, CommandContext context)
    {
        bool isNormal = type == Code4Catalog.Nf4.Name;
        if (bits != DefaultBits && !isNormal)
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", $"there is no {type} of {bits} bits")
            {
                Action = $"leave --bits out, or give --type {Code4Catalog.Nf4.Name}",
            };
        }

        float[] table = isNormal ? NormalFloat.Values(bits) : Code4Catalog.ByName(type).Values.ToArray();
        float[] midpoints = NormalFloat.Midpoints([.. table.Distinct().Order()]);
        double rmse = Theory4.RelativeRmse(table, Blocksize);
        if (context.Json) context.Terminal.Out.Write(Json(type, bits, table, midpoints, rmse));
        else Write(table, midpoints, rmse, context);
    }

    private static void Write(float[] values, float[] midpoints, double rmse, CommandContext context) =>
        TableConsole.Print(context.Terminal, console =>
        {
            Table table = TableConsole.NewTable(("code", true), ("value", true), ("bits", false), ("up to the midpoint", true));
            float[] ascending = [.. values.Distinct().Order()];
            for (int code = 0; code < values.Length; code++)
            {
                int place = Array.IndexOf(ascending, values[code]);
                table.AddRow(
                    new Text(TableConsole.Number(code)),
                    new Text(Shortest(values[code])),
                    new Text($"0x{BitConverter.SingleToUInt32Bits(values[code]):x8}"),
                    new Text(place < midpoints.Length ? Shortest(midpoints[place]) : ""));
            }

            console.Write(TableFit.Of(console, table));
            TableConsole.WriteFacts(
                console, ("relative RMSE", $"{TableConsole.Number(100 * rmse, 3)} % of normal weights in blocks of {Blocksize}"));
        });

    private static string Json(string type, int bits, float[] table, float[] midpoints, double rmse) => JsonLine.Of(json =>
    {
        json.WriteString("type", "codes");
        json.WriteString("code", type);
        json.WriteNumber("bits", bits);
        Write(json, "table", table);
        Write(json, "midpoints", midpoints);
        json.WriteNumber("blocksize", Blocksize);
        json.WriteNumber("relative_rmse", rmse);
    });

    private static void Write(Utf8JsonWriter json, string name, float[] values)
    {
        json.WriteStartArray(name);
        // As float64, which JSON readers have: the shortest float32 text would be another number to them.
        foreach (float value in values) json.WriteNumberValue((double)value);
        json.WriteEndArray();
    }

    private static string Shortest(float value) => value.ToString("R", CultureInfo.InvariantCulture);
}
