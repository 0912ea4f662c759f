import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Looks around as a Java program or a BI tool does. */
public final class Metadata {
    public static void main(String[] arguments) throws SQLException {
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            DatabaseMetaData found = connection.getMetaData();
            System.out.println(found.getDatabaseProductName() + " " + found.getDatabaseProductVersion());
            System.out.println(String.join(" ", column(found.getSchemas(), 1)));
            try (ResultSet tables = found.getTables(null, "reference", "orgs", new String[] {"TABLE", "VIEW"})) {
                while (tables.next()) {
                    System.out.println(tables.getString("TABLE_NAME") + " " + tables.getString("TABLE_TYPE"));
                }
            }
            List<String> columns = new ArrayList<>();
            try (ResultSet rows = found.getColumns(null, "metrics", "patrols", "%")) {
                while (rows.next() && columns.size() < 4) {
                    columns.add(rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME"));
                }
            }
            System.out.println(String.join(", ", columns));
            System.out.println(
                column(found.getPrimaryKeys(null, "reference", "orgs"), 4).isEmpty() ? "no primary key" : "a key");
            System.out.println(column(found.getTypeInfo(), 1).contains("int8") ? "has types" : "no types");
        }
    }

    private static List<String> column(ResultSet rows, int place) throws SQLException {
        List<String> values = new ArrayList<>();
        try (rows) {
            while (rows.next()) {
                values.add(rows.getString(place));
            }
        }
        return values;
    }
}
